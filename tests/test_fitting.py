from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from wsloc.errors import MemoryLimitError
from wsloc.fitting import Fitting, is_out_of_memory, memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def device(most: int, passes: list[int]) -> Callable[[Sequence[int]], list[int]]:
    """Work that fits for `most` items at once; notes how many it was asked for."""

    def work(items: Sequence[int]) -> list[int]:
        passes.append(len(items))
        if len(items) > most:
            raise MemoryLimitError(f"{len(items)} inputs do not fit")
        return [item * 10 for item in items]

    return work


@pytest.mark.parametrize(
    ("most", "expected"), [(9, [9]), (8, [9, 4, 4, 1]), (3, [9, 4, 2, 2, 2, 2, 1]), (1, [9, 4, 2, *[1] * 9])]
)
def test_a_batch_is_halved_until_it_fits(most: int, expected: list[int]) -> None:
    passes: list[int] = []
    fitting = Fitting()
    assert fitting.apply(device(most, passes), range(9)) == [item * 10 for item in range(9)]
    assert passes == expected
    assert (fitting.note is None) == (most == 9)


def test_what_was_found_is_not_tried_again() -> None:
    passes: list[int] = []
    fitting = Fitting()
    for _ in range(2):
        fitting.apply(device(4, passes), range(8))
    assert passes == [8, 4, 4, 4, 4]
    assert (fitting.tried, fitting.limit) == (8, 4)
    assert fitting.note == (
        "8 inputs at once did not fit into the memory: 4 went through the network at a time "
        "(--batch-size 4 spares the tries)"
    )
    assert fitting.apply(device(4, passes), []) == []


def test_memory_that_is_gone_later_halves_again() -> None:
    """What was done of the batch before is kept."""
    passes: list[int] = []
    fits = [4, 4, 1, 4]

    def work(items: Sequence[int]) -> list[int]:
        return device(fits.pop(0), passes)(items)

    fitting = Fitting(limit=2, tried=16)
    assert fitting.apply(work, range(5)) == [0, 10, 20, 30, 40]
    assert passes == [2, 2, 1]
    fits = [4, 1, 1, 1, 1]
    assert fitting.apply(work, range(5)[:4]) == [0, 10, 20, 30]
    assert passes[3:] == [2, 2, 1, 1]
    assert (fitting.tried, fitting.limit) == (16, 1)


def test_one_item_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(MemoryLimitError, match="1 inputs"):
        Fitting().apply(device(0, []), range(4))


def test_how_too_little_memory_is_told() -> None:
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert not is_out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_out_of_memory(OSError("out of memory"))


def test_a_pass_without_memory_names_its_size_and_the_remedy() -> None:
    for error in (MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")):
        with (
            pytest.raises(
                MemoryLimitError, match=r"^3 inputs of 8 x 6 pixels .* of cpu: try a smaller --batch-size or"
            ),
            memory_limit(3, (6, 8), torch.device("cpu")),
        ):
            raise error
    with pytest.raises(RuntimeError, match="sizes"), memory_limit(1, (6, 8), torch.device("cpu")):
        raise RuntimeError("sizes do not match")
