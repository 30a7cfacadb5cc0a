"""Overlays of seeds: a picture with its pseudo-labels in VOC's colours, and their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from wsloc.inputs.masks import voc_palette
from wsloc.outputs.overlays import SHORTEST_SIDE, enlarged, with_margin
from wsloc.outputs.tags import Tag, draw_tags, label
from wsloc.records import Prediction
from wsloc.regions.seeds import BACKGROUND, IGNORE

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds

    Pixels = npt.NDArray[np.uint8]

OPACITY = 0.6  # of a class's colour
LINE = (255, 255, 255)  # round each area: some of VOC's colours are nearly black
VEIL = 0.8  # of what is ignored: the picture shines through, no class's colour is like it


def draw_seeds(picture: Pixels, seeds: ImageSeeds, numbering: Numbering) -> Image.Image:
    """A picture whose pixels of a class have its colour, and ignored ones VOC's pale yellow, with a line round each.

    Args:
        picture: uint8 (H', W', 3), upright RGB; may be smaller than the seeds, which are then thinned out.
        seeds: of this picture.
        numbering: of the classes; numbers above 254 share the colours of smaller ones.

    Returns:
        RGB, of the picture's size; small pictures are enlarged, so that words can be read.
    """
    canvas = enlarged(picture)
    height, width = canvas.shape[:2]
    resized = cv2.resize(seeds.seed_mask, (width, height), interpolation=cv2.INTER_NEAREST)
    mask = np.asarray(resized, np.uint8)  # (h, w)
    colours, opacity = _paint(numbering.of_seeds(seeds))
    covered = opacity[mask][..., None]  # (h, w, 1)
    blended = canvas * (1 - covered) + colours[mask] * covered
    blended[cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0] = LINE
    image = Image.fromarray(with_margin(np.rint(blended).astype(np.uint8)))
    font_size = round(12 + max(0, min(image.size) - SHORTEST_SIDE) / 40)
    draw_tags(image, _tags(mask, seeds, numbering, colours), font_size, (width, height))
    return image


def _paint(values: tuple[int, ...]) -> tuple[Pixels, npt.NDArray[np.float32]]:
    """Colour (256, 3) and opacity (256,) of each place in a seed mask."""
    palette = np.array(voc_palette(), np.uint8).reshape(256, 3)
    colours, opacity = palette.copy(), np.full(256, OPACITY, np.float32)
    colours[1 : len(values) + 1] = palette[(np.array(values, np.intp) - 1) % (IGNORE - 1) + 1]
    opacity[[BACKGROUND, IGNORE]] = 0, VEIL
    return colours, opacity


def _tags(mask: Pixels, seeds: ImageSeeds, numbering: Numbering, colours: Pixels) -> list[Tag]:
    """A tag beside each class's pixels."""
    tags = []
    named = zip(seeds.class_indices, seeds.probabilities, strict=True)
    for place, (index, probability) in enumerate(named, start=1):
        rows, columns = np.nonzero(mask == place)
        if not len(rows):
            continue
        edges = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
        found = Prediction(
            index, numbering.classes.ids[index], numbering.classes.names[index], probability, edges, 1.0
        )
        red, green, blue = map(int, colours[place])
        tags.append(Tag((label(found),), (red, green, blue), edges))
    return tags
