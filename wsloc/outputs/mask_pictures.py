"""Label maps as pictures: a true mask and the seeds beside it, each laid over the photograph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from wsloc.inputs.masks import voc_palette

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

LONGEST_SIDE = 256  # pixels of a panel
GAP = 4  # pixels between the panels
OPACITY = 0.62  # of the colours over the photograph


def truth_and_seeds(photograph: Image.Image | None, truth: Pixels, seeds: Pixels) -> Image.Image:
    """The true mask left, the seeds right, in VOC's colours over the photograph; ignored pixels are nearly white.

    Args:
        photograph: upright, of any size; None for colours alone.
        truth: (H, W), numbers of classes, 0 for background, 255 for void.
        seeds: the same of the seeds, 255 for ignore.

    Returns:
        RGB, of twice the masks' width and a gap, both scaled down to 256 pixels a panel.
    """
    height, width = truth.shape
    factor = min(1.0, LONGEST_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    ground = np.zeros((size[1], size[0], 3), np.uint8)
    if photograph is not None:
        ground = np.asarray(photograph.convert("RGB").resize(size, Image.Resampling.BOX))
    panels = [_panel(ground, mask, size) for mask in (truth, seeds)]
    gap = np.full((size[1], GAP, 3), 255, np.uint8)
    return Image.fromarray(np.concatenate([panels[0], gap, panels[1]], axis=1))


def _panel(ground: Pixels, mask: Pixels, size: tuple[int, int]) -> Pixels:
    """A label map (H, W) over the ground (h, w, 3); the background is left as it is."""
    labels = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)  # (h, w)
    colours = np.array(voc_palette(), np.uint8).reshape(256, 3)[labels]  # (h, w, 3)
    blended = cv2.addWeighted(ground, 1 - OPACITY, colours, OPACITY, 0)
    return np.where((labels == 0)[..., None], ground, blended).astype(np.uint8)
