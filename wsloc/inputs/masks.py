"""Masks of objects, as they are stored: palette or gray PNGs whose values are indices, not colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wsloc.errors import DataError, ImageError
from wsloc.inputs.images import load_pixels, opened
from wsloc.inputs.mask_classes import BACKGROUND, IGNORE, VOC_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VOC_COLOURS = len(VOC_NAMES) + 1


def read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """The stored values of a mask, uint8 (H, W): palette indices are not turned into colours.

    Raises:
        DataError: if the file cannot be read, has colour channels, or holds more than a byte a pixel.
    """
    try:
        with opened(path) as file:
            load_pixels(file)
            values = np.asarray(file)
    except ImageError as error:
        raise DataError(f"the mask {error}") from error
    if values.ndim != 2:
        raise DataError(f"{path}: a mask has one channel (palette or gray), not {values.shape[2]}")
    if values.dtype not in (np.bool_, np.uint8):
        raise DataError(f"{path}: a mask holds a byte a pixel, not {values.dtype}: save it with 8 bits")
    return np.asarray(values, dtype=np.uint8)


def has_voc_palette(path: Path) -> bool:
    """Whether a mask's values have VOC's colours: 0 black, 1 dark red, 2 dark green, ... 20 blue-green.

    Raises:
        DataError: if the file cannot be read.
    """
    palette, _ = _coloured(path)
    return palette is not None and palette[: 3 * VOC_COLOURS] == voc_palette()[: 3 * VOC_COLOURS]


def has_other_palette(path: Path) -> bool:
    """Whether a mask has a palette whose colours, of the values that it holds, are not VOC's; void may have any.

    Raises:
        DataError: if the file cannot be read.
    """
    palette, values = _coloured(path)
    if palette is None:
        return False
    colours, expected = (np.array(found).reshape(-1, 3) for found in (palette, voc_palette()))
    held = np.unique(values[values != IGNORE])
    return bool((held >= len(colours)).any() or (colours[held] != expected[held]).any())


def _coloured(path: Path) -> tuple[list[int] | None, npt.NDArray[np.generic]]:
    """The palette of a mask, R, G, B, R, ..., or None without one, and its values.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        with opened(path) as file:
            load_pixels(file)
            return file.getpalette("RGB") if file.mode == "P" else None, np.asarray(file)
    except ImageError as error:
        raise DataError(f"the mask {error}") from error


def voc_palette() -> list[int]:
    """VOC's colours, 256 x RGB in one list: the bits of a value, three at a time, are the high bits of R, G and B."""
    values = np.arange(256)[:, None]
    channels = np.zeros((256, 3), np.intp)
    for step in range(8):
        channels |= (values >> (3 * step + np.arange(3)) & 1) << (7 - step)
    colours: list[int] = channels.ravel().tolist()
    return colours


def value_table(numbers: Mapping[int, int]) -> npt.NDArray[np.int16]:
    """The table (256,) of `renumbered`: background and 255 stay, values that are not named are -1.

    Args:
        numbers: value of a mask, 1-254 -> new number, 0 for background.
    """
    table = np.full(256, -1, np.int16)
    table[[BACKGROUND, IGNORE]] = BACKGROUND, IGNORE
    for value, number in numbers.items():
        table[value] = number
    return table


def renumbered(
    mask: npt.NDArray[np.uint8], table: npt.NDArray[np.int16], path: Path
) -> npt.NDArray[np.uint8]:
    """A mask (H, W) in other numbers, uint8 (H, W).

    Args:
        mask: values as they are stored.
        table: from `value_table`, numbers up to 254.
        path: of the mask, for the message.

    Raises:
        DataError: if the mask holds a value that the table does not name.
    """
    numbers = table[mask]
    if (numbers < 0).any():
        values = ", ".join(map(str, np.unique(mask[numbers < 0]).tolist()[:5]))
        raise DataError(
            f"{path}: holds the value {values}, which stands for no class: is its numbering another?"
        )
    return numbers.astype(np.uint8)
