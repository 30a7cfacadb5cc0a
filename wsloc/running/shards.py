"""How a list of images is cut: into batches once, and the batches among shards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wsloc.errors import UsageError

_SHARD = re.compile(r"(\d{1,9})/(\d{1,9})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several runs that share a list of images; by default the only one.

    Batches are cut from the whole list, and go to the shards in turn: every batch, and so every byte, is what it
    is in a run without shards.

    Attributes:
        number: from 1.
        count: how many shards there are.
    """

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def is_whole(self) -> bool:
        """Whether it is the only one."""
        return self.count == 1

    def batches(self, total: int) -> range:
        """The numbers, from 0, of its batches out of `total`."""
        return range(self.number - 1, total, self.count)


def parse_shard(text: str | None) -> Shard:
    """The shard that `2/4` names; without text the only one.

    Raises:
        UsageError: if it names none.
    """
    if text is None:
        return Shard()
    found = _SHARD.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard is I/N with I from 1 to N, such as 2/4, not {text!r}")
    return Shard(int(found[1]), int(found[2]))


def count_batches(images: int, batch_size: int) -> int:
    """How many batches a list is cut into; only the last one may be smaller."""
    return -(-images // batch_size)


def batch_length(number: int, images: int, batch_size: int) -> int:
    """How many images batch `number`, from 0, of a list has; none behind its end."""
    return max(0, min(batch_size, images - number * batch_size))
