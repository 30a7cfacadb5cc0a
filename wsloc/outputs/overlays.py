"""Overlays: a picture with the heat map, the boxes and the class names of its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from wsloc.errors import MapError
from wsloc.files import replacing
from wsloc.outputs.tags import DARK, Tag, draw_tags, label

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.tags import Colour, Edges
    from wsloc.records import Box, Localization, Prediction

Pixels = npt.NDArray[np.uint8]

SHORTEST_SIDE = 240  # pixels: smaller pictures are enlarged (or given a margin) so that words fit
LONGEST_ENLARGED = 2048  # pixels: no picture is enlarged beyond it
LONGEST_SIDE = 65_500  # pixels: the JPEG format ends there
MARGIN_COLOUR = 24  # gray level

# Okabe and Ito's colours, told apart with any colour vision; blue first, which stands out from the heat.
BOX_COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),  # sky blue
    (230, 159, 0),  # orange
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (240, 228, 66),  # yellow
    (213, 94, 0),  # vermillion
    (0, 114, 178),  # blue
)

_LEVELS = np.arange(256, dtype=np.uint8)[:, None]  # (256, 1)
HEAT_COLOURS: Pixels = np.ascontiguousarray(cv2.applyColorMap(_LEVELS, cv2.COLORMAP_INFERNO)[:, 0, ::-1])
"""uint8 (256, 3) RGB: perceptually uniform and safe for any colour vision, dark to bright."""

OPACITY: npt.NDArray[np.float32] = (0.62 * (_LEVELS / 255.0) ** 0.8).astype(np.float32)
"""float32 (256, 1), 0-1: how far the heat covers the picture; nothing where the map is 0."""

# Per level of the map, (256, 1, 3): what is left of the picture and what the heat adds; two look-ups blend.
_KEPT: Pixels = np.repeat(np.rint(255 * (1 - OPACITY)).astype(np.uint8), 3, axis=1)[:, None]
_ADDED: Pixels = np.rint(HEAT_COLOURS * OPACITY).astype(np.uint8)[:, None]


def draw_overlay(picture: Pixels, localization: Localization) -> Image.Image:
    """A picture with its heat map, boxes, class names and probabilities.

    The heat is the map of the best class, or the one shared by all, scaled by its maximum; without maps, or
    for a map of zeros, there is none. Every class has its colour; a box that several classes share is drawn
    once and names them all.

    Args:
        picture: uint8 (H', W', 3), upright RGB; may be smaller than the record's (height, width), boxes are
            scaled to it. It is not changed.
        localization: what was found in it.

    Returns:
        RGB, of the picture's size; small pictures are enlarged by a whole factor to a shorter side of 240
        pixels, and very long ones get a margin to the right or below, so that the words can be read.

    Raises:
        MapError: if the map holds NaN or infinity.
    """
    canvas = enlarged(picture)
    height, width = canvas.shape[:2]
    activation_map = shown_map(localization)
    if activation_map is not None:
        canvas = _heated(canvas, activation_map, localization.image)
    image = Image.fromarray(with_margin(canvas))
    line = max(2, round(min(image.size) / 150))
    tags = _tags(localization, (width, height), _dark(line) * 2 + line)
    draw = ImageDraw.Draw(image)
    for tag in reversed(tags):  # the best box lies on top
        _draw_box(draw, tag, line)
    font_size = round(12 + max(0, min(image.size) - SHORTEST_SIDE) / 40)
    draw_tags(image, [tag for tag in tags if tag.lines], font_size, (width, height))
    return image


def save_overlay(path: Path, image: Image.Image) -> None:
    """Write an overlay as JPEG (quality 90, full colour resolution for thin lines), whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        image.save(temporary, format="JPEG", quality=90, subsampling=0)


def shown_map(localization: Localization) -> npt.NDArray[np.float32] | None:
    """The map that an overlay shows, float32 (H, W): the best class's, or the first; None without maps."""
    maps = localization.activation_maps
    if maps is None or not len(maps):
        return None
    best = localization.predictions[0].class_index if localization.predictions else None
    own = best in localization.class_indices and len(maps) == len(localization.class_indices)
    position = localization.class_indices.index(best) if best is not None and own else 0
    return np.asarray(maps[position], dtype=np.float32)


def enlarged(picture: Pixels) -> Pixels:
    """The picture, contiguous; enlarged by a whole factor if small, reduced if no JPEG could hold it."""
    height, width = picture.shape[:2]
    wanted = -(-SHORTEST_SIDE // min(height, width))
    factor: float = max(1, min(wanted, LONGEST_ENLARGED // max(height, width)))
    factor = min(factor, LONGEST_SIDE / max(height, width))
    if factor == 1:
        return np.ascontiguousarray(picture)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    way = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=way), dtype=np.uint8)


def with_margin(canvas: Pixels) -> Pixels:
    """The canvas with a dark margin on the right or below where a side is still too short for words."""
    below, right = (max(0, SHORTEST_SIDE - side) for side in canvas.shape[:2])
    if not below and not right:
        return canvas
    return np.pad(canvas, ((0, below), (0, right), (0, 0)), constant_values=MARGIN_COLOUR)


def _heated(canvas: Pixels, activation_map: npt.NDArray[np.float32], name: str) -> Pixels:
    """The canvas (h, w, 3) under the heat of a map (H, W), which covers the more the higher it is."""
    highest = float(activation_map.max(initial=0.0))  # NaN and infinity come through
    if not np.isfinite(highest):
        raise MapError(f"{name}: its activation map holds NaN or infinity and cannot be drawn")
    if highest <= 0:
        return canvas
    levels = (np.maximum(activation_map, 0) * (255 / highest) + 0.5).astype(np.uint8)  # (H, W)
    size = (canvas.shape[1], canvas.shape[0])
    heat = cv2.resize(levels, size, interpolation=cv2.INTER_LINEAR)  # (h, w)
    kept = cv2.multiply(canvas, cv2.applyColorMap(heat, _KEPT), scale=1 / 255)  # (h, w, 3)
    return np.asarray(cv2.add(kept, cv2.applyColorMap(heat, _ADDED)), dtype=np.uint8)


def _tags(localization: Localization, size: tuple[int, int], line: int) -> list[Tag]:
    """One tag a distinct box, best first; a class is named at the first of its boxes only.

    Args:
        localization: whose boxes they are.
        size: (width, height) of the canvas.
        line: pixels that a box's lines take, light and dark together.
    """
    groups: dict[Box, list[Prediction]] = {}
    for prediction in localization.predictions:
        groups.setdefault(prediction.box, []).append(prediction)
    ranks: dict[int, int] = {}
    tags = []
    for box, members in groups.items():
        new = [member for member in members if member.class_index not in ranks]
        for member in new:
            ranks.setdefault(member.class_index, len(ranks))
        colour = BOX_COLOURS[ranks[members[0].class_index] % len(BOX_COLOURS)]
        edges = _edges(box, (localization.width, localization.height), size, line)
        tags.append(Tag(tuple(map(label, new)), colour, edges))
    return tags


def _edges(box: Box, image_size: tuple[int, int], size: tuple[int, int], line: int) -> Edges:
    """Where a box is drawn: its lines lie just round it, or inside at the canvas's edge.

    Args:
        box: xyxy, image frame.
        image_size: (width, height) of the image.
        size: (width, height) of the canvas that it is scaled to.
        line: pixels that the lines take.
    """
    across, down = size[0] / image_size[0], size[1] / image_size[1]
    left = min(round(box[0] * across), size[0] - 1)
    top = min(round(box[1] * down), size[1] - 1)
    right = max(round(box[2] * across), left + 1)
    bottom = max(round(box[3] * down), top + 1)
    return max(0, left - line), max(0, top - line), min(size[0], right + line), min(size[1], bottom + line)


def _draw_box(draw: ImageDraw.ImageDraw, tag: Tag, line: int) -> None:
    """A bright line between two dark ones, seen on any ground, inside the tag's edges."""
    x0, y0, x1, y1 = tag.edges
    dark = _dark(line)
    draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=DARK, width=line + 2 * dark)
    if min(x1 - x0, y1 - y0) > 2 * dark:  # on a canvas of a pixel or two there is no room for it
        draw.rectangle((x0 + dark, y0 + dark, x1 - 1 - dark, y1 - 1 - dark), outline=tag.colour, width=line)


def _dark(line: int) -> int:
    """Pixels of the dark line on either side of a bright one of `line` pixels."""
    return max(1, line // 3)
