"""An output folder while a run is at work there: prepared, gone on with, refused, and in the end complete.

    DIR/.wsloc-unfinished/
        plan.json       the identity of the run; its removal is the moment from which on the run is complete
        rank-0.jsonl    what process 0 has done, a `Journal`; of the others likewise
        rank-0.lock     held by process 0 while it is at work

A killed run leaves this folder. The same command finds it and does the batches that no journal knows, be there as many
processes as before or not.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from shutil import rmtree
from typing import TYPE_CHECKING, Any, Protocol

from wsloc.errors import OutputError, RunError, UsageError
from wsloc.files import lock_file, reason, sync_folder
from wsloc.running.identity import run_differences
from wsloc.running.journal import Entry, Journal, read_entries
from wsloc.running.plans import (
    FOLDER,
    begin_plan,
    give_up,
    journals,
    logged_images,
    read_plan,
    refuse_other_commands,
)
from wsloc.running.ranks import PAUSE
from wsloc.running.shards import batch_length

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.running.identity import Identity
    from wsloc.running.ranks import Ranks

ARRIVAL = 30.0  # seconds after which a network drive must show a new file on every machine
REPLACE = "give --overwrite to replace them, or another --output"


class Results(Protocol):
    """What a command knows of its results in a folder; asked by the leading process alone."""

    def identity(self) -> Mapping[str, Any] | None:
        """Of the complete run that stands there; empty if it is not known, None without one."""

    def are_whole(self) -> bool:
        """Whether all files of that run are there, and no image has changed since."""

    def clear(self) -> None:
        """Remove its files and those of an interrupted run; make the folder if it is not there."""

    def tidy(self, images: Iterable[str]) -> None:
        """Remove what a killed process was just writing: files of these images, and of all together."""


@dataclass(frozen=True)
class Work:
    """What a process of a run does, and has done.

    Attributes:
        folder: of the results.
        identity: of the run.
        ranks: this process among those of the run.
        batches: numbers of all batches of the run, those of other shards left out.
        todo: numbers of those that this process does.
        skipped: how many images the run found done.
        complete: whether the run was complete before: nothing is to be done.
        journal: where the process tells what it has done; open.
    """

    folder: Path
    identity: Identity
    ranks: Ranks
    batches: Sequence[int]
    todo: tuple[int, ...]
    skipped: int
    complete: bool
    journal: Journal | None = None

    def wait_for_all(self, meanwhile: Callable[[], None] | None = None) -> bool:
        """Whether this process leads, and now has everything that all of them have done; to be asked at the end.

        Args:
            meanwhile: called while others are waited for.

        Raises:
            RunError: if another process shows no life.
            OutputError: if what this one has written did not reach the disk.
        """
        if self.journal is not None:
            self.journal.close()
        self.ranks.tell("done")
        if not self.ranks.leads:
            return False
        for rank in range(1, self.ranks.size):
            self.ranks.hear("done", rank, meanwhile)
        return True

    def meet(self, stage: str) -> None:
        """Wait until all processes have come to a stage: each then reads what all have done so far.

        Raises:
            RunError: if another process shows no life.
            OutputError: if what this one has written did not reach the disk.
        """
        if self.journal is not None:
            self.journal.sync()
        self.ranks.tell(stage)
        for rank in range(self.ranks.size):
            if rank != self.ranks.rank:
                self.ranks.hear(stage, rank)

    def entries(self, numbers: Sequence[int] | None = None) -> list[Entry]:
        """All batches of the run, or some of them, in their order.

        Args:
            numbers: of those that are wanted; None for all.

        Raises:
            RunError: if some were not done.
            DataError: if a journal cannot be read.
        """
        wanted = self.batches if numbers is None else numbers
        found = _done(self.folder, self.ranks.size)
        missing = sum(number not in found for number in wanted)
        if missing:
            raise RunError(
                f"{missing} of {len(wanted)} batches are missing in {self.folder}: run the same command again"
            )
        return [found[number] for number in wanted]

    def finish(self) -> None:
        """The results are complete, and on disk: forget how they came about.

        Raises:
            OutputError: if that cannot be removed.
        """
        sync_folder(self.folder)
        give_up(self.folder)


@contextmanager
def open_work(
    folder: Path,
    identity: Identity,
    results: Results,
    *,
    batches: Sequence[int],
    ranks: Ranks,
    overwrite: bool = False,
) -> Iterator[Work]:
    """The work of this process on a run, new or gone on with.

    Nothing in the folder changes before all processes have come here: results may lie among the images that they
    look for.

    Args:
        folder: of the results; made if it is not there.
        identity: of the run, from `run_identity`; with `images` and `batch_size`.
        results: what may stand in the folder.
        batches: numbers of the batches that are to be done.
        ranks: this process among those of the run.
        overwrite: whether what stands there is replaced, whatever it is; not after a restart, which goes on.

    Raises:
        UsageError: if the folder holds another run, complete or not; or one of another command, in any case.
        OutputError: if it cannot be written to, or another process is at work there.
        RunError: if another process shows no life, or sees other images.
    """
    overwrite = overwrite and not ranks.attempt
    with ExitStack() as stack:
        ranks.tell("ready")
        if ranks.leads:
            for rank in range(1, ranks.size):
                ranks.hear("ready", rank)
            found = stack.enter_context(
                _prepare(folder, identity, results, len(batches), ranks, overwrite=overwrite)
            )
            ranks.tell("prepared", json.dumps({"identity": identity, **found}))
        else:
            found = json.loads(ranks.hear("prepared", 0))
            _require_same(found["identity"], identity, ranks)
        done = set(batches) if found["complete"] else set(found["done"]).intersection(batches)
        todo = [number for number in batches if number not in done][ranks.rank :: ranks.size]
        journal = None
        if todo:
            if not ranks.leads:
                _require_shared(folder, ranks)
                stack.enter_context(_locked(folder, ranks.rank))
            journal = stack.enter_context(Journal(folder / FOLDER / f"rank-{ranks.rank}.jsonl"))
        skipped = sum(batch_length(number, identity["images"], identity["batch_size"]) for number in done)
        yield Work(folder, identity, ranks, batches, tuple(todo), skipped, found["complete"], journal)


@contextmanager
def _prepare(
    folder: Path, identity: Identity, results: Results, batches: int, ranks: Ranks, *, overwrite: bool
) -> Iterator[dict[str, Any]]:
    """The folder as the leading process leaves it to all of them, locked: whether all is done, and which batches."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: name a folder for the results")
    there: Mapping[str, Any] | None = read_plan(folder)
    interrupted = there is not None
    if not interrupted:
        there = results.identity()
    if there is not None:
        refuse_other_commands(folder, there, str(identity["command"]))
    if there is not None and not overwrite:
        _refuse_others(folder, there, identity, interrupted=interrupted)
        if not interrupted and results.are_whole():
            _sweep(folder, ranks.rank)
            yield {"complete": True, "done": []}
            return
    with _locked(folder, ranks.rank):
        if overwrite or not interrupted:
            results.clear()
            begin_plan(folder, identity)
        done = _done(folder, ranks.size)
        # Killed in a batch, or when all were done and their results were being joined.
        results.tidy(logged_images(folder, of_done_batches=len(done) >= batches))
        yield {"complete": False, "done": sorted(done)}


def _sweep(folder: Path, rank: int) -> None:
    """Remove what a run left that was killed at its very end, when its results were complete."""
    if (folder / FOLDER).is_dir():
        with suppress(OutputError), _locked(folder, rank):  # unless it is just ending
            rmtree(folder / FOLDER, ignore_errors=True)


def _refuse_others(folder: Path, there: Mapping[str, Any], here: Identity, *, interrupted: bool) -> None:
    """Raise a UsageError unless both are one run."""
    if not there:
        raise UsageError(f"{folder} holds results of a run whose arguments are not known: {REPLACE}")
    differing = run_differences(there, here)
    if differing and interrupted:
        raise UsageError(
            f"{folder} holds an interrupted run with other arguments, {', '.join(differing)}: give the same to go on, "
            "--overwrite to start anew, or another --output"
        )
    if differing:
        raise UsageError(f"{folder} holds the results of another run, {', '.join(differing)}: {REPLACE}")


def _require_same(there: Identity, here: Identity, ranks: Ranks) -> None:
    """Raise a RunError unless this process has been asked the same as the leading one."""
    differing = run_differences(there, here)
    if differing:
        raise RunError(
            f"process {ranks.rank} is not asked what process 0 is: {', '.join(differing)} (there: process 0): give all "
            "of them the same arguments and files"
        )


def _require_shared(folder: Path, ranks: Ranks) -> None:
    """Raise a RunError unless this process sees, now or soon, the plan that the leading one has written."""
    deadline = time.monotonic() + ARRIVAL
    while read_plan(folder) is None:
        if time.monotonic() > deadline:
            raise RunError(
                f"process {ranks.rank} does not see {folder} as process 0 does: name an --output on a drive that all "
                "machines share"
            )
        time.sleep(PAUSE)


def _done(folder: Path, size: int) -> dict[int, Entry]:
    """The batches that the journals of a folder know, by number.

    Those of the processes that are now at work are looked up by name: another machine's new file may not be listed
    yet on a network drive.
    """
    named = (folder / FOLDER / f"rank-{rank}.jsonl" for rank in range(size))
    found: dict[int, Entry] = {}
    for path in dict.fromkeys((*named, *journals(folder))):
        for entry in read_entries(path):
            found.setdefault(entry.batch, entry)
    return found


@contextmanager
def _locked(folder: Path, rank: int) -> Iterator[None]:
    """Keep other processes from the work of this one; a process that dies lets go of it by itself."""
    place = folder / FOLDER
    lock = place / f"rank-{rank}.lock"
    try:
        place.mkdir(parents=True, exist_ok=True)
        stream = lock.open("ab")
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {reason(error)}") from error
    with stream:
        if not lock_file(stream):
            raise OutputError(
                f"another wsloc is at work in {folder}: wait until it has ended, or name another --output"
            )
        try:
            yield
        finally:
            with suppress(OSError):
                lock.unlink()
    with suppress(OSError):  # unless the work is to be gone on with
        place.rmdir()
