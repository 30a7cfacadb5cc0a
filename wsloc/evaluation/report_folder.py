"""The folder of a report: what may stand there while an evaluation is at work, and when it begins."""

from __future__ import annotations

from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING

from wsloc.errors import OutputError, UsageError
from wsloc.files import make_folder, remove_abandoned
from wsloc.running.unfinished import FOLDER, forget, read_plan, refuse_other_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any


@dataclass(frozen=True, slots=True)
class ReportResults:
    """A report's folder, as `open_work` asks for it: a complete report is replaced, once the new one is complete.

    Attributes:
        folder: of the report.
    """

    folder: Path

    def identity(self) -> Mapping[str, Any] | None:
        """None: a complete report is no reason to refuse, nor to do nothing."""
        return None

    def are_whole(self) -> bool:
        """Never asked, since no report is known again."""
        return False

    def clear(self) -> None:
        """Make the folder; an earlier report stays until it is replaced.

        Raises:
            OutputError: if it is a file, or cannot be made or written to.
        """
        make_folder(self.folder)

    def tidy(self, _images: Iterable[str]) -> None:
        """Remove a report that a killed process was just writing.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        try:
            remove_abandoned(self.folder)
        except OSError as error:
            raise OutputError(f"cannot write to {self.folder}: {error.strerror or error}") from error


def require_no_interrupted_run(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds an interrupted run, or have that forgotten: for reports that take seconds.

    Args:
        folder: of the report.
        overwrite: whether the interrupted run is given up.

    Raises:
        UsageError: if there is one, and it is not to be given up.
        OutputError: if it cannot be removed.
    """
    there = read_plan(folder)
    if there is None:
        return
    refuse_other_commands(folder, there, "eval")
    if not overwrite:
        raise UsageError(
            f"{folder} holds an interrupted run of wsloc eval: give its command again to go on, --overwrite to give it "
            "up, or another --output"
        )
    try:
        forget(folder)
    except OSError as error:
        raise OutputError(f"cannot remove {folder / FOLDER}: {error.strerror or error}") from error
    rmtree(folder / FOLDER, ignore_errors=True)
