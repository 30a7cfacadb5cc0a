"""Maps from the input frame to the upright image's own pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def maps_to_image(maps: npt.NDArray[np.float32], image_size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Maps (P, H, W) of the input, at the image's size: the resize is undone, bilinearly, cell centres aligned.

    As for boxes, the input is the whole image, squashed or not: each axis has its own factor.

    Args:
        maps: input frame.
        image_size: (height, width) of the upright image, pixels.

    Returns:
        (P, height, width), image frame; no value is outside the range of its map.
    """
    height, width = image_size
    resized = np.empty((len(maps), height, width), np.float32)
    for cells, target in zip(
        maps, resized, strict=True
    ):  # OpenCV takes a few channels at once, not any number
        cv2.resize(cells, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return resized
