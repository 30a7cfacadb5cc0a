"""A scene: objects of the classes asked for among clutter, photographed; with its mask and boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tests.scenes.backgrounds import BACKGROUNDS, draw_background
from tests.scenes.drawing import Generator, random_colours
from tests.scenes.painting import Canvas, Place, paint
from tests.scenes.sprites import CLASSES, SPRITES, piece

if TYPE_CHECKING:
    from collections.abc import Sequence

PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture and the truth about it.

    Attributes:
        picture: uint8 (H, W, 3), RGB.
        mask: uint8 (H, W); 0 background, class_index + 1 where an object of that class is seen.
        boxes: `(class_index, (x0, y0, x1, y1))` of each object's visible pixels, half-open, in pixels.
    """

    picture: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    boxes: tuple[tuple[int, PixelBox], ...]


def make_scene(
    random: Generator, size: tuple[int, int], classes: Sequence[int], background: int | None = None
) -> Scene:
    """One object of each entry of `classes` (indices into CLASSES, repeats allowed) among clutter.

    Args:
        random: where every choice comes from; the same state gives the same bytes.
        size: (height, width) in pixels.
        classes: the objects' classes, the farthest first.
        background: index into BACKGROUNDS, or None for any.

    Raises:
        ValueError: if the objects do not find room, each at least a third in sight.
    """
    for _ in range(30):
        scene = _try_scene(random, size, classes, background)
        if scene is not None:
            return scene
    raise ValueError(
        f"no room for {len(classes)} objects in {size[1]} x {size[0]} pixels: ask for fewer or a larger size"
    )


def _try_scene(
    random: Generator, size: tuple[int, int], classes: Sequence[int], background: int | None
) -> Scene | None:
    kind = int(random.integers(len(BACKGROUNDS))) if background is None else background
    towards = random.uniform(0.2, 2.9)  # the lamp is always above
    light = (math.cos(towards), math.sin(towards))
    canvas = Canvas(draw_background(random, size, kind), np.zeros(size, np.int16), light)
    _scatter(canvas, random, int(random.integers(3, 9)), (0.04, 0.13))
    places = _lay_out(random, size, len(classes))
    drawn = [
        paint(canvas, SPRITES[CLASSES[index]], place, random_colours(random), random, owner=number)
        for number, (index, place) in enumerate(zip(classes, places, strict=True), 1)
    ]
    if places and random.random() < 0.3:  # something in front of one of them
        hidden = places[int(random.integers(len(places)))]
        way, off = random.uniform(0, 6.3), hidden.radius * random.uniform(0.65, 0.95)
        x, y = hidden.x + off * math.cos(way), hidden.y + off * math.sin(way)
        place = Place(x, y, hidden.radius * random.uniform(0.3, 0.5), random.uniform(0, 6.3), False)
        paint(canvas, piece, place, random_colours(random), random)
    seen = np.bincount(canvas.owner.ravel(), minlength=len(classes) + 1)[1:]  # (objects,)
    if any(now < max(3, before / 3) for now, before in zip(seen, drawn, strict=True)):
        return None
    boxes = tuple((int(index), _box_of(canvas.owner == number)) for number, index in enumerate(classes, 1))
    values = np.array([0, *(index + 1 for index in classes)], np.uint8)
    return Scene(_expose(canvas, random), values[canvas.owner], boxes)


def _lay_out(random: Generator, size: tuple[int, int], count: int) -> list[Place]:
    """Places for `count` objects, 20-70 % of the short side across, apart where there is room."""
    short = min(size)
    most = max(0.7 / math.sqrt(max(count, 1)), 0.3)
    places: list[Place] = []
    for _ in range(count):
        radius = short / 2 * random.triangular(0.2, most, most)
        candidates = []
        for _ in range(12):
            x, y = (random.uniform(0.8 * radius, side - 0.8 * radius) for side in (size[1], size[0]))
            gap = min((math.hypot(x - p.x, y - p.y) - radius - p.radius for p in places), default=0.0)
            candidates.append((min(gap, 0.0), x, y))
        # The first that overlaps nothing, else the one that overlaps least.
        _, x, y = max(candidates, key=lambda candidate: candidate[0])
        places.append(Place(x, y, radius, random.uniform(-0.75, 0.75), bool(random.random() < 0.5)))
    return places


def _scatter(canvas: Canvas, random: Generator, count: int, sizes: tuple[float, float]) -> None:
    """Paint `count` pieces of clutter, radii in `sizes` (shares of the short side), anywhere."""
    height, width = canvas.owner.shape
    for _ in range(count):
        radius = min(height, width) * random.uniform(*sizes)
        place = Place(
            random.uniform(0, width), random.uniform(0, height), radius, random.uniform(0, 6.3), False
        )
        paint(canvas, piece, place, random_colours(random), random)


def _box_of(seen: npt.NDArray[np.bool_]) -> PixelBox:
    """The smallest half-open box round the true pixels of `seen` (H, W)."""
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _expose(canvas: Canvas, random: Generator) -> npt.NDArray[np.uint8]:
    """The photograph: a lamp to one side, vignette, colour cast, contrast and noise; uint8 (H, W, 3)."""
    height, width = canvas.owner.shape
    x, y = (
        np.linspace(-1, 1, width, dtype=np.float32)[None],
        np.linspace(-1, 1, height, dtype=np.float32)[:, None],
    )
    slope = (x * canvas.light[0] + y * canvas.light[1]) * random.uniform(0, 0.22)
    shade = random.uniform(0.9, 1.15) * (1 - slope - random.uniform(0, 0.14) * (x * x + y * y))  # (H, W)
    picture = canvas.picture * shade[..., None] * random.uniform(0.93, 1.07, 3).astype(np.float32)
    picture = np.clip(picture, 0, 1) ** random.uniform(0.8, 1.15)
    picture += random.standard_normal(picture.shape, dtype=np.float32) * random.uniform(0.004, 0.025)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)
