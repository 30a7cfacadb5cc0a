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


def decode(counts: Sequence[str], image_size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Which pixels each code holds: 0 or 1, (height, width, V).

    Raises:
        ValueError: if a code is no code of an image of this (height, width).
    """
    codes = [{"size": list(image_size), "counts": text.encode("ascii")} for text in counts]
    found: npt.NDArray[np.uint8] = coco_mask.decode(codes)
    return found
