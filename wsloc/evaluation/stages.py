"""Passes over images whose batches are kept in one journal: tuning, scoring, ten crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.running.journal import copy_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsloc.running.unfinished import Work


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over images, of which each process does some batches.

    Attributes:
        work: of this process.
        first: number, in the journal, of the first batch.
        count: how many batches there are.
    """

    work: Work
    first: int
    count: int

    @property
    def todo(self) -> list[int]:
        """The batches that this process does, counted from 0."""
        return [number - self.first for number in self.work.todo if number in self._numbers]

    def keep(self, number: int, line: bytes) -> None:
        """Note what a batch has come to: from here on it is done.

        Args:
            number: of the batch, from 0.
            line: what `lines` will give of it, with its line feed.

        Raises:
            OutputError: if it cannot be written.
        """
        if self.work.journal is None:
            raise ValueError("this process has nothing to do")
        self.work.journal.write(self.first + number, [line])
        self.work.journal.close_batch({})

    def meet(self) -> None:
        """Wait until all processes have done their batches.

        Raises:
            RunError: if another process shows no life.
            OutputError: if what this one has written did not reach the disk.
        """
        self.work.meet(f"batch {self.first + self.count}")

    def lines(self) -> Iterator[bytes]:
        """What all batches have come to, in their order.

        Raises:
            RunError: if some were not done.
            DataError: if a journal cannot be read.
        """
        return copy_lines(self.work.entries(self._numbers))

    @property
    def _numbers(self) -> range:
        return range(self.first, self.first + self.count)


def stages(work: Work, *counts: int) -> list[Stage]:
    """Stages of so many batches each, one behind the other in the journal."""
    return [Stage(work, sum(counts[:place]), count) for place, count in enumerate(counts)]
