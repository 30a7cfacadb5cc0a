"""Masks of objects, as they are stored: palette or gray PNGs whose values are indices, not colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from wsloc.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """The stored values of a mask, uint8 (H, W): palette indices are not turned into colours.

    Raises:
        DataError: if the file cannot be read, or has colour channels.
    """
    try:
        with Image.open(path) as file:
            values = np.asarray(file)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: this mask cannot be read: {error}") from error
    if values.ndim != 2:
        raise DataError(f"{path}: a mask has one channel (palette or gray), not {values.shape[2]}")
    return np.asarray(values, dtype=np.uint8)
