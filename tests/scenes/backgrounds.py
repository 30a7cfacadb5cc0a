"""The six backgrounds: x and y (H, W) in short sides of the picture, turned by a random angle."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.scenes.drawing import Colours, Floats, Generator, hsv, mix, noise
from tests.scenes.painting import Canvas, Place, paint
from tests.scenes.sprites import leaf

Background = Callable[[Floats, Floats, Generator], Floats]
_OCTAVES = ((3, 1.4), (7, 0.6), (16, 0.4))  # cells along the short side, weight


def _pair(random: Generator) -> tuple[Floats, Floats]:
    """Two muted colours that go together."""
    hue, saturation, value = random.random(), random.uniform(0.1, 0.45), random.uniform(0.35, 0.9)
    near = hue + random.uniform(-0.12, 0.12)
    return hsv(hue, saturation, value), hsv(near, saturation * 1.1, value * random.uniform(0.55, 0.85))


def _cloudy(x: Floats, _y: Floats, random: Generator) -> Floats:
    height, width = x.shape
    down, across = height / min(x.shape), width / min(x.shape)
    waves = np.zeros_like(x)
    for cells, weight in _OCTAVES:
        waves += weight * (noise(random, x.shape, (cells * down, cells * across)) - 0.5)
    return mix(*_pair(random), 0.5 + waves)


def _wood(x: Floats, y: Floats, random: Generator) -> Floats:
    planks = random.uniform(2.5, 5)
    plank = np.floor(y * planks)
    tones = random.random(64, dtype=np.float32)[plank.astype(int) % 64]
    warp = noise(random, x.shape, (5, 5))
    rings = np.sin(2 * math.pi * (y * random.uniform(9, 16) + 2.5 * warp + tones * 9 + 0.4 * np.sin(x * 5)))
    light = hsv(random.uniform(0.04, 0.11), random.uniform(0.3, 0.6), random.uniform(0.55, 0.95))
    dark = light * np.array([0.6, 0.5, 0.42], np.float32)
    gap: Floats = 1 - 0.6 * np.clip(1.5 - np.abs(np.mod(y * planks + 0.5, 1) - 0.5) * 40 / planks, 0, 1)
    grain = 0.25 + 0.25 * rings + 0.3 * tones + 0.25 * noise(random, x.shape, (40, 40))
    return mix(light, dark, grain) * gap[..., None]


def _striped(x: Floats, y: Floats, random: Generator) -> Floats:
    first, second = _pair(random)
    wave = np.sin(2 * math.pi * (x * random.uniform(4, 9) + random.uniform(0, 0.12) * np.sin(y * 9)))
    thin: Floats = 1 - 0.3 * np.clip(1 - np.abs(wave) * 6, 0, 1)
    return mix(first, second, 0.5 + wave * 4) * thin[..., None]


def _tiled(x: Floats, y: Floats, random: Generator) -> Floats:
    count = random.uniform(4, 8)
    u, v = x * count, y * count
    column, row = np.floor(u).astype(np.int16), np.floor(v).astype(np.int16)
    tone = 0.6 * random.random((32, 32), dtype=np.float32)[row % 32, column % 32]
    tone += 0.4 * np.mod(row + column, 2).astype(np.float32) * int(random.integers(0, 2))
    edge = np.maximum(np.abs(u - column - 0.5), np.abs(v - row - 0.5))
    grout = np.clip((edge - 0.44) * 25, 0, 1)
    return mix(mix(*_pair(random), tone), hsv(0.1, 0.08, random.choice([0.25, 0.9])), grout)


def _graded(x: Floats, y: Floats, random: Generator) -> Floats:
    """A gradient with soft discs of light, as out of focus."""
    picture = mix(*_pair(random), x + 0.1)
    for _ in range(int(random.integers(5, 12))):
        across, down, radius = (
            random.uniform(-0.2, 1.2),
            random.uniform(-0.2, 1.2),
            random.uniform(0.05, 0.16),
        )
        disc = np.clip((radius - np.hypot(x - across, y - down)) * 40, 0, 1)
        picture = mix(picture, hsv(random.random(), 0.3, 1), disc * random.uniform(0.1, 0.3))
    return picture


def _leafy(x: Floats, _y: Floats, random: Generator) -> Floats:
    height, width = x.shape
    hue = random.choice([0.09, 0.22, 0.3, 0.38])
    ground = mix(hsv(hue, 0.6, 0.12), hsv(hue, 0.5, 0.3), noise(random, x.shape, (8, 8)))
    canvas = Canvas(ground, np.zeros(x.shape, np.int16), (0.7, 0.7))
    count = int(36 * max(x.shape) / min(x.shape))
    for step in range(count):  # the later the nearer, and the lighter
        main = hsv(hue + random.uniform(-0.05, 0.05), random.uniform(0.3, 0.65), 0.28 + 0.4 * step / count)
        radius = min(x.shape) * random.uniform(0.09, 0.16)
        place = Place(
            random.uniform(0, width), random.uniform(0, height), radius, random.uniform(0, 6.3), False
        )
        paint(canvas, leaf, place, Colours(main, main, main * 1.6, main), random)
    return canvas.picture


_BACKGROUNDS: dict[str, Background] = {
    "cloudy": _cloudy,
    "wood": _wood,
    "striped": _striped,
    "tiled": _tiled,
    "graded": _graded,
    "leafy": _leafy,
}
BACKGROUNDS: tuple[str, ...] = tuple(_BACKGROUNDS)


def draw_background(random: Generator, size: tuple[int, int], kind: int) -> Floats:
    """A picture (H, W, 3) in 0-1 of the background BACKGROUNDS[kind]."""
    angle, short = random.uniform(0, 2 * math.pi), min(size)
    y, x = (np.arange(side, dtype=np.float32) / short - 0.5 for side in size)
    cos, sin = math.cos(angle), math.sin(angle)
    u, v = cos * x + sin * y[:, None] + 0.5, cos * y[:, None] - sin * x + 0.5  # (H, W)
    return _BACKGROUNDS[BACKGROUNDS[kind]](u, v, random)
