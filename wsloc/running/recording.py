"""The loop of every command over images: a batch's lines, its files beside the next batch, its mark."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from wsloc.running.ranks import Ranks
    from wsloc.running.unfinished import Work

Item = TypeVar("Item")
WRITERS = (
    4  # threads that draw, encode and wait for the disk beside the network; all of it without Python's lock
)


def record_batches(
    work: Work,
    batches: Iterable[Sequence[Item]],
    *,
    line: Callable[[Item], bytes],
    write: Callable[[Item], Iterable[Path]],
    tally: Callable[[Item], Mapping[str, int]],
    progress: Progress,
) -> None:
    """Record batches as they come: a batch counts as done once its lines and all its files are on disk.

    Args:
        work: what is to be done; its journal is written to.
        batches: what was found in the images of each batch of `work.todo`, in that order.
        line: the line of an image, JSON that begins with its `image`.
        write: writes the files of an image and gives their paths; called in other threads, while the next batch is
            made.
        tally: what is counted of an image, by name.
        progress: told of every batch.

    Raises:
        OutputError: if something cannot be written.
    """
    journal = work.journal
    if journal is None:
        return
    with ThreadPoolExecutor(WRITERS) as pool:
        writing: list[Future[Iterable[Path]]] = []
        counted: Counter[str] = Counter()
        for place, (number, items) in enumerate(zip(work.todo, batches, strict=True)):
            if place:  # at most one batch of files waits to be written
                journal.close_batch(counted, _folders(writing))
            journal.write(number, [line(item) for item in items])
            writing = [pool.submit(write, item) for item in items]
            counted = Counter()
            for item in items:
                counted.update(tally(item))
            progress.add(len(items))
        journal.close_batch(counted, _folders(writing))


def _folders(writing: Iterable[Future[Iterable[Path]]]) -> set[Path]:
    """The folders of what was written, once it is."""
    return {path.parent for job in writing for path in job.result()}


class Progress:
    """Images done by all processes of a run, as the leading one shows them.

    Args:
        ranks: this process among those of the run.
        show: called with the number of images done since the last call.
    """

    def __init__(self, ranks: Ranks, show: Callable[[int], None] | None) -> None:
        self._ranks = ranks
        self._show = show
        self._shown = 0

    def skip(self, images: int) -> None:
        """Show images that were done before."""
        if images and self._show is not None:
            self._show(images)

    def add(self, images: int) -> None:
        """Show images that this process has done, and what the others have done meanwhile."""
        alone = self._ranks.size == 1
        total = self._shown + images if alone else self._ranks.count("images", images)
        if total > self._shown and self._show is not None:
            self._show(total - self._shown)
        self._shown = total

    def look(self) -> None:
        """Show what the others have done meanwhile."""
        self.add(0)
