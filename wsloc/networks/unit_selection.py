"""Random selections of the units that the windows of a convolution see, in the frame of the cells they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    from torch import Tensor

CHUNK = 1 << 21  # units at once: few enough for a processor's cache, whatever the number of draws


def windows_inside(feature_map: Tensor, kernel: int) -> Tensor:
    """1 where the window that sees a cell at an offset lies on the grid, else 0: (h * w, s * s)."""
    offsets = torch.arange(kernel, device=feature_map.device) - kernel // 2

    def along(length: int) -> Tensor:
        centres = torch.arange(length, device=feature_map.device)[:, None] - offsets  # (length, s)
        return (centres >= 0) & (centres < length)

    height, width = feature_map.shape[2:]
    both = along(height)[:, None, :, None] & along(width)[None, :, None, :]  # (h, w, s, s)
    return both.reshape(height * width, kernel**2).float()


def kept_units(
    key: Sequence[int], draws: int, cells: int, offsets: int, drop_rate: float, *, centre: bool
) -> Iterator[npt.NDArray[np.bool_]]:
    """Which units are kept, in chunks (cells, n, offsets) of the draws; on the CPU, of a generator of their own.

    A random byte decides, and where it says neither kept nor dropped, a further word: the rate is exact, and one
    byte a unit is nearly all that is drawn.

    Args:
        key: of the generator; fewer draws of a key are the first ones of more.
        draws: how many.
        cells: h * w.
        offsets: s * s.
        drop_rate: p, 0-1.
        centre: whether the middle offset is always kept.
    """
    generator = np.random.SFC64(np.random.SeedSequence(tuple(key)))
    chunk = max(1, CHUNK // (cells * offsets))
    sure = int((1 - drop_rate) * 256)
    rest = (1 - drop_rate) * 256 - sure  # the chance of the byte that is undecided
    for start in range(0, draws, chunk):
        words = generator.random_raw(-(-cells * chunk * offsets // 8)).astype("<u8", copy=False)
        numbers = words.view(np.uint8)[: cells * chunk * offsets]
        kept = numbers < sure
        undecided = np.flatnonzero(numbers == sure)
        kept[undecided] = generator.random_raw(len(undecided)) < np.uint64(rest * 2.0**64)
        kept = kept.reshape(cells, chunk, offsets)
        if centre:
            kept[:, :, offsets // 2] = True
        yield kept[:, : draws - start]
