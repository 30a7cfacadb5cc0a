"""Masks as COCO's compressed run-length codes: a few hundred bytes an image, and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def encode(labels: npt.NDArray[np.uint8], values: Sequence[int]) -> list[str]:
    """The code of each value's pixels in a label map (height, width), `counts` of a COCO segmentation."""
    columns = np.ascontiguousarray(labels.T)  # COCO counts down the columns
    found = columns == np.array(values, np.uint8)[:, None, None]  # (V, width, height)
    codes = coco_mask.encode(found.view(np.uint8).transpose(2, 1, 0))
    return [code["counts"].decode("ascii") for code in codes]


def decode(counts: str, image_size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Which pixels a code holds, (height, width); not by pycocotools, which warns of itself under NumPy 2.

    A run's length is written in digits of 5 bits, the lowest first, each a character from `0` on, with 32 added
    to all but the last one; from the fourth run on it is the difference to the last run but one.

    Raises:
        ValueError: if it is no code of an image of this (height, width).
    """
    height, width = image_size
    characters = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - ord("0")
    ends = np.flatnonzero(characters < 32)
    if not len(ends) or ends[-1] != len(characters) - 1 or characters.min() < 0 or characters.max() > 63:
        raise ValueError("is no run-length code")
    starts = np.concatenate([[0], ends[:-1] + 1])
    digits = ends - starts + 1
    places = np.arange(len(characters)) - np.repeat(starts, digits)
    runs = np.add.reduceat((characters & 31) << (5 * places), starts)
    runs -= np.where(characters[ends] & 16, 1 << (5 * digits), 0)  # the last digit's highest bit is the sign
    runs[1::2], runs[2::2] = runs[1::2].cumsum(), runs[2::2].cumsum()
    if runs.min() < 0 or runs.sum() != height * width:
        raise ValueError(f"is no run-length code of {width} x {height} pixels")
    held = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return held.reshape(width, height).T
