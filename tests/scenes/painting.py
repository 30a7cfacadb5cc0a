"""Putting a sprite on a picture: smooth edges, relief, shadow, and who owns which pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.scenes.drawing import Colours, Floats, Generator, Layer
    from tests.scenes.sprites import Sprite


class Place(NamedTuple):
    """Where a sprite goes: centre and radius in pixels, rotation in radians, mirrored or not."""

    x: float
    y: float
    radius: float
    angle: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Canvas:
    """What is painted on: picture float32 (H, W, 3) in 0-1; owner int16 (H, W), the object's number or 0."""

    picture: Floats
    owner: npt.NDArray[np.int16]
    light: tuple[float, float]  # unit vector from the lamp, right and down


def _flatten(layers: Sequence[Layer], radius: float) -> tuple[Floats, Floats]:
    """Lay the layers over one another: colour (h, w, 3), already times its cover, and cover (h, w) in 0-1."""
    cover = np.zeros(layers[0].distance.shape, np.float32)
    colour = np.zeros((*cover.shape, 3), np.float32)
    for distance, tint in layers:
        alpha = np.clip(0.5 - distance * radius, 0, 1)  # a smooth edge one pixel wide
        relief = 1 - 0.32 * np.clip(1 + distance * 14, 0, 1)  # each part darkens to its edge
        colour += alpha[..., None] * (tint * relief[..., None] - colour)
        cover += alpha * (1 - cover)
    return colour, cover


def paint(
    canvas: Canvas, sprite: Sprite, place: Place, colours: Colours, random: Generator, *, owner: int = 0
) -> int:
    """Paint a sprite and its shadow; returns how many pixels it took, which are `owner`'s from now on."""
    reach = int(place.radius * 1.25) + 2
    left, top = int(place.x) - reach, int(place.y) - reach
    steps = np.arange(2 * reach + 1, dtype=np.float32)
    dx = (steps[None, :] + (left + 0.5 - place.x)) / place.radius  # (1, w), radii
    dy = (steps[:, None] + (top + 0.5 - place.y)) / place.radius  # (h, 1)
    cos, sin = math.cos(place.angle), math.sin(place.angle)
    flip = -1 if place.mirrored else 1
    layers = sprite(flip * (cos * dx + sin * dy), cos * dy - sin * dx, colours, random)
    colour, cover = _flatten(layers, place.radius)
    nearest = np.minimum.reduce([layer.distance for layer in layers])
    shadow = 0.5 * np.clip(0.35 - nearest * 3.5, 0, 1)
    drop = [round(0.1 * place.radius * axis) for axis in reversed(canvas.light)]
    shadow = np.roll(shadow, drop, (0, 1))  # its margins are 0, so that nothing wraps round
    colour *= (1.06 - 0.28 * (dx * canvas.light[0] + dy * canvas.light[1]))[..., None]
    height, width = canvas.owner.shape
    bottom, right = top + len(steps), left + len(steps)
    rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
    inner = (slice(max(-top, 0), max(height - top, 0)), slice(max(-left, 0), max(width - left, 0)))
    view = canvas.picture[rows, columns]
    view *= ((1 - shadow[inner]) * (1 - cover[inner]))[..., None]
    view += colour[inner]
    seen = cover[inner] >= 0.5
    canvas.owner[rows, columns][seen] = owner
    return int(seen.sum())
