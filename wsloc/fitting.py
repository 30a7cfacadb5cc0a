"""How many inputs go through the network at once, where a whole batch does not fit into its memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch

from wsloc.errors import MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Item = TypeVar("Item")
Found = TypeVar("Found")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # as torch words it


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


@contextmanager
def memory_limit(count: int, size: tuple[int, int], device: torch.device) -> Iterator[None]:
    """What torch says of too little memory for a pass becomes a MemoryLimitError; other errors stay.

    Args:
        count: inputs of the pass.
        size: (height, width) of each.
        device: where it runs.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        fit, remedy = (
            (f"one input of {size[1]} x {size[0]} pixels does not fit", "--image-size")
            if count == 1
            else (
                f"{count} inputs of {size[1]} x {size[0]} pixels do not fit",
                "--batch-size or --image-size",
            )
        )
        raise MemoryLimitError(f"{fit} into the memory of {device}: try a smaller {remedy}") from error


@dataclass(slots=True)
class Fitting:
    """The number of inputs that fit, found by trying: halved each time that some do not, and never raised again.

    A batch stays what it is, and is recorded whole; only the passes that its inputs are divided among are smaller. That
    changes results by no more than rounding.

    Attributes:
        limit: inputs a pass; None as long as every batch has fitted.
        tried: how many were tried first that did not fit.
    """

    limit: int | None = None
    tried: int | None = None

    def apply(self, work: Callable[[Sequence[Item]], Sequence[Found]], items: Sequence[Item]) -> list[Found]:
        """What `work` finds for each item, in their order, from as few passes as fit.

        Args:
            work: gives a result an item.
            items: of one size.

        Raises:
            MemoryLimitError: if a single item does not fit.
        """
        found: list[Found] = []
        while len(found) < len(items):
            part = items[len(found) : len(found) + (self.limit or len(items))]
            try:
                found += work(part)
            except MemoryLimitError:
                if len(part) == 1:
                    raise
                self.tried = self.tried or len(part)
                self.limit = len(part) // 2
            else:
                continue
            # Here the error is gone, and with it the frames that held the pass's tensors.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return found

    @property
    def note(self) -> str | None:
        """What there is to say of it; None if every batch has fitted."""
        if self.limit is None:
            return None
        return (
            f"{self.tried} inputs at once did not fit into the memory: {self.limit} went through the network at a "
            f"time (--batch-size {self.limit} spares the tries)"
        )
