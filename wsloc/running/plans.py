"""What tells of an interrupted run in its folder: the plan, which says what it is, and journals of what was done."""

from __future__ import annotations

import json
from contextlib import suppress
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError, OutputError, UsageError
from wsloc.files import reason, write_text
from wsloc.running.journal import read_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wsloc.running.identity import Identity

FOLDER = ".wsloc-unfinished"
PLAN = "plan.json"


def read_plan(folder: Path) -> Identity | None:
    """The identity of the interrupted run in a folder; None without one, empty if its plan cannot be read."""
    try:
        return dict(json.loads((folder / FOLDER / PLAN).read_text(encoding="utf-8"))["identity"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def begin_plan(folder: Path, identity: Identity) -> None:
    """Write the plan of a new run, once nothing tells of another.

    Raises:
        OutputError: if the folder cannot be written to.
    """
    try:
        forget(folder)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {reason(error)}") from error
    write_text(
        folder / FOLDER / PLAN, json.dumps({"schema_version": 1, "identity": identity}, indent=2) + "\n"
    )


def refuse_other_commands(folder: Path, there: Mapping[str, Any], command: str) -> None:
    """Raise a UsageError if results in a folder are of another command, whose files this one does not know.

    Args:
        folder: of the results.
        there: the identity of their run; empty if it is not known.
        command: that is to write there.
    """
    other = there.get("command", command)
    if other != command:
        raise UsageError(
            f"{folder} holds results of wsloc {other}, which wsloc {command} does not replace: remove them, or name "
            "another --output"
        )


def logged_images(folder: Path, *, of_done_batches: bool = True) -> Iterator[str]:
    """The ids of the images that an interrupted run had begun to write files of; a damaged journal's are left out."""
    for path in journals(folder):
        with suppress(DataError):
            yield from read_images(path, of_done_batches=of_done_batches)


def give_up(folder: Path) -> None:
    """Remove all that tells of an interrupted run.

    Raises:
        OutputError: if that is not possible.
    """
    try:
        forget(folder)
    except OSError as error:
        raise OutputError(f"cannot remove {folder / FOLDER}: {reason(error)}") from error
    rmtree(folder / FOLDER, ignore_errors=True)


def forget(folder: Path) -> None:
    """Remove what tells of an interrupted run, its plan first: without it, what is left counts for nothing.

    Raises:
        OSError: if that cannot be removed.
    """
    (folder / FOLDER / PLAN).unlink(missing_ok=True)
    for path in journals(folder):
        path.unlink(missing_ok=True)


def journals(folder: Path) -> list[Path]:
    """The journals in a folder, of however many processes."""
    return sorted((folder / FOLDER).glob("rank-*.jsonl"))
