"""Passes over images whose batches are kept in one journal: tuning, scoring, ten crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wsloc.running.journal import copy_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsloc.running.journal import Entry, Journal
    from wsloc.running.shards import Shard


class Batches(Protocol):
    """The batches of an evaluation, or of a shard of it: those that are to be done, and those that are; see `Work`."""

    @property
    def batches(self) -> Sequence[int]:
        """Numbers of all of them."""

    @property
    def todo(self) -> Sequence[int]:
        """Numbers of those that this process does."""

    @property
    def journal(self) -> Journal | None:
        """Where it tells what it has done."""

    def meet(self, stage: str) -> None:
        """Wait until all processes have come to a stage."""

    def entries(self, numbers: Sequence[int] | None = None) -> list[Entry]:
        """What was done, all of it or some batches."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One pass over images, of which each process does some batches.

    Attributes:
        work: the batches of all stages.
        first: number, in the journal, of the first batch.
        count: how many batches there are.
    """

    work: Batches
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
        """What all batches have come to, in their order; in a shard its own.

        Raises:
            RunError: if some were not done.
            DataError: if a journal cannot be read.
        """
        there = frozenset(self.work.batches)
        return copy_lines(self.work.entries([number for number in self._numbers if number in there]))

    @property
    def _numbers(self) -> range:
        return range(self.first, self.first + self.count)


def stages(work: Batches, *counts: int) -> list[Stage]:
    """Stages of so many batches each, one behind the other in the journal."""
    return [Stage(work, sum(counts[:place]), count) for place, count in enumerate(counts)]


def batches_of(counts: tuple[int, int, int], shard: Shard) -> tuple[int, ...]:
    """Numbers of the batches that a shard does: its own of scoring and of ten crops, and all that is tuned on.

    Args:
        counts: how many batches there are to score, to tune on, and of ten crops.
        shard: which one.
    """
    scoring, tuning, crops = counts
    tuned = scoring + tuning
    return (*shard.batches(scoring), *range(scoring, tuned), *(tuned + n for n in shard.batches(crops)))
