"""What sprites and backgrounds are drawn with: signed distances, textures and colours.

A distance is in units of the object's radius, negative inside, so that one formula gives a smooth edge at any
size; x and y (h, w) are in the same units, y pointing down.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.floating]
Generator = np.random.Generator


class Colours(NamedTuple):
    """The colours of one object, each (3,), RGB in 0-1."""

    main: Floats
    accent: Floats
    light: Floats
    dark: Floats


class Layer(NamedTuple):
    """One part of a sprite: signed distance (h, w) in radii; colour (3,) or (h, w, 3)."""

    distance: Floats
    colour: Floats


def ellipse(
    x: Floats, y: Floats, centre: tuple[float, float], radii: tuple[float, float], turn: float = 0
) -> Floats:
    """An ellipse, turned by `turn` radians."""
    cos, sin = math.cos(turn), math.sin(turn)
    x, y = x - centre[0], y - centre[1]
    u, v = (cos * x + sin * y) / radii[0], (cos * y - sin * x) / radii[1]
    length = np.sqrt(u * u + v * v) + 1e-6
    # The implicit function over its gradient: exact at the edge, close enough elsewhere.
    return length * (length - 1) / (np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2) + 1e-6)


def segment(
    x: Floats, y: Floats, start: tuple[float, float], end: tuple[float, float], radius: float
) -> Floats:
    """A line with round ends, `radius` to each side."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip(((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(x - start[0] - along * dx, y - start[1] - along * dy) - radius


def convex(x: Floats, y: Floats, points: Sequence[tuple[float, float]]) -> Floats:
    """A convex polygon, its corners clockwise on the screen."""
    distance = np.full_like(x, -np.inf)
    for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
        length = math.hypot(x1 - x0, y1 - y0)
        np.maximum(distance, ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length, out=distance)
    return distance


def box(x: Floats, y: Floats, corners: tuple[float, float, float, float]) -> Floats:
    """A rectangle x0, y0, x1, y1."""
    x0, y0, x1, y1 = corners
    distance: Floats = np.maximum(np.maximum(x0 - x, x - x1), np.maximum(y0 - y, y - y1))
    return distance


def mix(first: Floats, second: Floats, share: Floats) -> Floats:
    """`first` where `share` (h, w) is 0, `second` where it is 1."""
    return first + (second - first) * np.clip(share, 0, 1)[..., None]  # (h, w, 3)


def noise(random: Generator, shape: tuple[int, int], cells: tuple[float, float]) -> Floats:
    """Smooth noise (h, w), about 0-1, with `cells` (down, across) along the picture."""
    coarse = random.random((math.ceil(cells[0]) + 1, math.ceil(cells[1]) + 1), dtype=np.float32)
    image = Image.fromarray(coarse).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image)  # (h, w)


def hsv(hue: float, saturation: float, value: float) -> Floats:
    """RGB (3,) of a hue in turns (any number), saturation and value in 0-1."""
    ramp = np.clip(np.abs(np.mod(hue + np.array([0, 2 / 3, 1 / 3]), 1) * 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - saturation + saturation * ramp), dtype=np.float32)


def random_colours(random: Generator) -> Colours:
    """Any hue, and one that stands off from it."""
    hue = random.random()
    other = hue + random.uniform(0.25, 0.75)
    return Colours(
        hsv(hue, random.uniform(0.45, 0.85), random.uniform(0.65, 0.98)),
        hsv(other, random.uniform(0.4, 0.85), random.uniform(0.6, 0.98)),
        hsv(hue, random.uniform(0, 0.2), random.uniform(0.88, 1)),
        hsv(other, random.uniform(0.2, 0.7), random.uniform(0.12, 0.3)),
    )
