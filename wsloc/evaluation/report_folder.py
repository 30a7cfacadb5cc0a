"""The folder of a report: what may stand there while an evaluation is at work, and when it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import OutputError, UsageError
from wsloc.files import make_folder, reason, remove_abandoned, replacing_together
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.outputs.report_html import write_report_html
from wsloc.outputs.report_json import write_report_json
from wsloc.running.plans import forget, give_up, read_plan, refuse_other_commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from wsloc.outputs.report_records import Report


REPORT = ("report.json", "report.html", "images.csv")
SCORES = "scores.jsonl"  # of a shard, with its manifest


@dataclass(frozen=True, slots=True)
class ReportResults:
    """A report's folder, as `open_work` asks for it: a complete report is replaced, once the new one is complete.

    Attributes:
        folder: of the report.
    """

    folder: Path

    def identity(self) -> Mapping[str, Any] | None:
        """Of a shard that stands there; None otherwise: a report is no reason to refuse, nor to do nothing."""
        return shard_identity(self.folder) if (self.folder / SCORES).is_file() else None

    def are_whole(self) -> bool:
        """Never asked, since no report is known again."""
        return False

    def clear(self) -> None:
        """Make the folder; an earlier report stays until it is replaced, a shard goes.

        Raises:
            OutputError: if it is a file, or cannot be made or written to.
        """
        make_folder(self.folder)
        if (self.folder / SCORES).is_file():
            remove_files(self.folder, (MANIFEST, SCORES))

    def tidy(self, _images: Iterable[str]) -> None:
        """Remove a report that a killed process was just writing.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        try:
            remove_abandoned(self.folder)
        except OSError as error:
            raise OutputError(f"cannot write to {self.folder}: {reason(error)}") from error


def write_report(folder: Path, report: Report, write_images: Callable[[Path], None]) -> None:
    """Write the files of `REPORT`: all of them, or none.

    Args:
        folder: where they go.
        report: what two of them tell.
        write_images: writes images.csv into the folder that it is given.

    Raises:
        OutputError: if one of them cannot be written.
    """
    with replacing_together(folder) as temporary:
        write_images(temporary)
        write_report_json(report, temporary)
        write_report_html(report, temporary)


def shard_identity(folder: Path) -> Mapping[str, Any]:
    """What a shard's manifest says of its run; empty if it cannot be read."""
    run = (read_manifest(folder) or {}).get("run")
    return dict(run) if isinstance(run, dict) else {}


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove some files of a folder, and what tells of an interrupted run.

    Raises:
        OutputError: if that is not possible.
    """
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
        forget(folder)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {reason(error)}") from error


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
    give_up(folder)
