"""The eight classes, each a shape and a texture, and clutter that belongs to no class.

All within the unit circle, y pointing down.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.scenes.drawing import (
    Colours,
    Floats,
    Generator,
    Layer,
    box,
    convex,
    ellipse,
    hsv,
    mix,
    segment,
)

Sprite = Callable[[Floats, Floats, Colours, Generator], list[Layer]]


def _star(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """Five points, each with a lit and a shaded facet, and a smaller star inside."""
    fifth = 2 * math.pi / 5
    sector = np.mod(np.arctan2(x, -y) + fifth / 2, fifth) - fifth / 2  # 0 along each point's axis
    radius = np.hypot(x, y)
    u, v = radius * np.cos(sector), radius * np.abs(np.sin(sector))
    valley = random.uniform(0.4, 0.52)
    x1, y1 = valley * math.cos(fifth / 2), valley * math.sin(fifth / 2)
    distance = (v * (0.94 - x1) + (u - 0.94) * y1) / math.hypot(0.94 - x1, y1)
    facet = mix(colours.main, colours.main * 0.55, 0.5 + sector * radius * 12)
    inner = mix(colours.accent, colours.accent * 0.6, 0.5 - sector * radius * 12)
    return [Layer(distance - 0.03, facet), Layer(distance + random.uniform(0.15, 0.2), inner)]


def _donut(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A ring of dough with icing that runs, and sprinkles."""
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    hole = random.uniform(0.24, 0.34)
    middle, half = (0.95 + hole) / 2, (0.95 - hole) / 2
    across = np.abs(radius - middle)
    wave = 0.05 * np.sin(int(random.integers(5, 9)) * angle + random.uniform(0, 6)) + 0.03 * np.sin(3 * angle)
    round_shade = 1.1 - 0.5 * (across / half)[..., None] ** 2
    # One sprinkle in every cell of a grid: its place, turn and colour come from small tables.
    column, row = np.floor(x * 5).astype(np.int16), np.floor(y * 5).astype(np.int16)
    table = random.random((3, 12, 12), dtype=np.float32)[:, row % 12, column % 12]  # (3, h, w)
    u, v = x * 5 - column - 0.3 - 0.4 * table[0], y * 5 - row - 0.3 - 0.4 * table[1]
    cos, sin = np.cos(table[2] * math.pi), np.sin(table[2] * math.pi)
    sprinkle = np.maximum(np.abs(u * cos + v * sin) - 0.32, np.abs(v * cos - u * sin) - 0.11) / 5
    tints = np.stack([colours.light, colours.accent, colours.dark, hsv(random.random(), 0.8, 1)])
    icing = across - half + 0.11 + wave
    return [
        Layer(across - half, colours.accent * 0.8 * round_shade),
        Layer(icing, colours.main * round_shade),
        Layer(np.maximum(sprinkle, icing + 0.04), tints[(table[0] * 97).astype(int) % 4]),
    ]


def _flower(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """Two whorls of veined petals round a seeded heart."""
    count = int(random.integers(6, 9))
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    width = 1.75 / count

    def whorl(turn: float, length: float) -> tuple[Floats, Floats]:
        sector = np.mod(angle + turn, 2 * math.pi / count) - math.pi / count
        u, v = radius * np.cos(sector), radius * np.sin(sector)
        vein = 0.5 + 0.5 * np.cos(v * 30) * np.clip(radius * 2 - 0.4, 0, 1)
        return ellipse(u, v, (length / 2, 0), (length / 2, width)), vein

    back, back_vein = whorl(math.pi / count, 0.94)
    front, front_vein = whorl(0, 0.88)
    heart = random.uniform(0.24, 0.32)
    seeds = 0.3 + 1.2 * np.sin(8 * angle + radius * 30) * np.sin(8 * angle - radius * 30)
    return [
        Layer(back, mix(colours.main * 0.5, colours.main * 0.7, back_vein)),
        Layer(
            front,
            mix(mix(colours.light, colours.main, radius * 1.5 - 0.2), colours.main * 0.8, 1 - front_vein),
        ),
        Layer(radius - heart, mix(colours.accent, colours.dark, seeds)),
    ]


def _fish(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A scaly or a banded body, tail and fins with rays, an eye, a gill."""
    body = ellipse(x, y, (0.14, 0), (0.72, 0.43))
    tail = convex(x, np.abs(y), [(-0.84, -0.02), (-0.3, -0.02), (-0.72, 0.46), (-0.97, 0.54)])
    back_fin = convex(x, y, [(-0.28, -0.6), (0.02, -0.68), (0.42, -0.3), (-0.3, -0.25)])
    belly_fin = convex(x, y, [(-0.12, 0.3), (0.2, 0.3), (-0.05, 0.68), (-0.22, 0.62)])
    fins = np.minimum(tail, np.minimum(back_fin, belly_fin))
    rays = mix(colours.accent, colours.accent * 0.6, np.sin((y * 1.2 + np.abs(x) * 0.3) * 40))
    column = np.floor(x * 7)
    u, v = x * 7 - column, np.mod(y * 6 + 0.5 * np.mod(column, 2), 1) - 0.5
    scale = np.clip(np.abs(np.hypot(1 - u, v * 1.3) - 0.75) * 3 - 0.1, 0, 1)
    skin = mix(colours.main * 0.55, colours.main, scale)
    if random.random() < 0.5:
        skin = mix(skin, colours.light, 0.5 + 3 * np.sin(x * 11 + random.uniform(0, 6)))
    skin = mix(skin, colours.light, np.clip(y * 1.6 - 0.1, 0, 0.7))
    head = np.maximum(body, 0.42 - np.hypot(x - 0.02, y))
    head = np.maximum(head, 0.3 - x)
    return [
        Layer(fins, rays),
        Layer(body, skin),
        Layer(head, colours.accent),
        Layer(np.hypot(x - 0.55, y + 0.1) - 0.12, np.ones(3, np.float32)),
        Layer(np.hypot(x - 0.57, y + 0.1) - 0.07, colours.dark * 0.4),
        Layer(segment(x, y, (0.68, 0.14), (0.84, 0.1), 0.025), colours.dark),
    ]


def _mushroom(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A spotted cap with gills below, on a thick streaked stem."""
    low = random.uniform(-0.08, 0.06)
    dome = ellipse(x, y, (0, low), (0.9, 0.88 + low))
    cap = np.maximum(dome, y - low)
    under = ellipse(x, y, (0, low), (0.9, 0.17))
    width = random.uniform(0.19, 0.27)
    stem = np.maximum(np.abs(x) - width - 0.16 * (y - 0.45) ** 2, np.abs(y - 0.45) - 0.45)
    spots = np.full_like(x, np.inf)
    for column, row in (
        (-0.6, -0.2),
        (-0.2, -0.25),
        (0.25, -0.18),
        (0.66, -0.22),
        (-0.35, -0.6),
        (0.2, -0.62),
    ):
        shift = random.uniform(-0.06, 0.06, 2)
        size = float(random.uniform(0.09, 0.16))
        centre = (column + float(shift[0]), row + float(shift[1]))
        np.minimum(spots, ellipse(x, y, centre, (size, size * 0.85)), out=spots)
    streaks = mix(colours.light, colours.light * 0.7, np.sin(x * 34))
    gills = mix(colours.light * 0.85, colours.accent * 0.6, 2 * np.sin(np.arctan2(y - low + 0.25, x) * 26))
    return [
        Layer(stem - 0.02, streaks),
        Layer(under, gills),
        Layer(np.minimum(cap, np.maximum(under, y - low - 0.04)), colours.main),
        Layer(np.maximum(spots, cap + 0.03), colours.light),
    ]


def _key(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A bow with a hole, a banded shaft and two or three teeth."""
    bow = np.hypot(x + 0.52, y) - 0.42
    if random.random() < 0.4:  # a clover instead of a disc
        bow = np.minimum(np.hypot(x + 0.68, y) - 0.26, np.hypot(x + 0.44, np.abs(y) - 0.24) - 0.26)
    hole = 0.19 - np.hypot(x + 0.54, y)
    shaft = segment(x, y, (-0.15, 0), (0.84, 0), 0.12)
    teeth = np.full_like(x, np.inf)
    for left in (0.34, 0.56, 0.76)[int(random.integers(0, 2)) :]:
        np.minimum(teeth, box(x, y, (left, 0, left + 0.14, float(random.uniform(0.28, 0.46)))), out=teeth)
    metal = mix(colours.main, colours.light, 0.8 * np.cos((x + y) * 5 + random.uniform(0, 3)) ** 6)
    metal = mix(metal, metal * 0.6, y * 2)
    collar = np.minimum(box(x, y, (-0.1, -0.17, 0.0, 0.17)), box(x, y, (0.1, -0.15, 0.16, 0.15)))
    groove = np.maximum(np.abs(bow + 0.1) - 0.03, -hole - 0.03)
    return [
        Layer(np.minimum(teeth - 0.01, shaft), metal),
        Layer(np.maximum(bow, hole), metal),
        Layer(np.maximum(groove, hole), colours.dark),
        Layer(collar, colours.accent),
    ]


def _butterfly(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """Two pairs of veined, bordered wings with eyespots, a body and feelers."""
    side = np.abs(x)
    spread = random.uniform(-0.1, 0.15)
    upper = ellipse(side, y, (0.48, -0.34), (0.55, 0.35), -0.65 - spread)
    lower = ellipse(side, y, (0.36, 0.4), (0.42, 0.3), 0.75 + spread)
    veins = 2 * np.cos(np.arctan2(y, side) * 16) - 1.2
    border = random.uniform(0.08, 0.12)
    spot = np.minimum(np.hypot(side - 0.62, y + 0.46) - 0.14, np.hypot(side - 0.44, y - 0.46) - 0.12)
    feelers = np.minimum(
        segment(side, y, (0.03, -0.4), (0.2, -0.82), 0.03), np.hypot(side - 0.21, y + 0.84) - 0.06
    )
    body = ellipse(x, y, (0, 0.02), (0.09, 0.55))
    return [
        Layer(np.minimum(lower, upper), colours.dark),
        Layer(lower + border, mix(colours.accent, colours.dark, veins)),
        Layer(upper + border, mix(mix(colours.main, colours.light, 0.8 - side * 2), colours.dark, veins)),
        Layer(spot, colours.light),
        Layer(spot + 0.06, colours.accent * 0.7),
        Layer(feelers, colours.dark * 0.8),
        Layer(body, mix(colours.dark * 0.7, colours.accent * 0.7, 2 * np.sin(y * 30))),
    ]


def _umbrella(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A dome of alternating panels with a scalloped edge, a thin stick and a hook."""
    panels = int(random.integers(5, 8))
    dome = np.hypot(x, y - 0.12) - 0.93
    across = np.clip(x / np.sqrt(np.maximum(0.93**2 - (y - 0.12) ** 2, 1e-3)), -1, 1)
    panel = (np.arcsin(across) / math.pi + 0.5) * panels * 0.999
    place = np.mod(panel, 1)
    canopy = np.maximum(dome, y - 0.14 + 0.2 * np.sin(math.pi * place))
    cloth = mix(colours.main, colours.accent, np.mod(np.floor(panel), 2))
    cloth = mix(cloth, cloth * 0.5, 1 - 9 * np.minimum(place, 1 - place))
    stick = segment(x, y, (0, -0.9), (0, 0.76), 0.045)
    hook = np.maximum(np.abs(np.hypot(x - 0.16, y - 0.76) - 0.16) - 0.055, 0.76 - y)
    return [Layer(np.minimum(stick, hook), colours.dark * 1.5), Layer(canopy, cloth)]


SPRITES: dict[str, Sprite] = {
    "star": _star,
    "donut": _donut,
    "flower": _flower,
    "fish": _fish,
    "mushroom": _mushroom,
    "key": _key,
    "butterfly": _butterfly,
    "umbrella": _umbrella,
}
CLASSES: tuple[str, ...] = tuple(SPRITES)


# --- clutter: belongs to no class -----------------------------------------------------------------


def leaf(x: Floats, y: Floats, colours: Colours, _random: Generator) -> list[Layer]:
    """A pointed leaf along x with a midrib and veins."""
    distance = np.maximum(np.hypot(x, y - 0.6), np.hypot(x, y + 0.6)) - 1.08
    vein = np.maximum(1.3 - np.abs(y) * 18, 2 * np.sin(x * 16 - np.abs(y) * 14) - 1.4)
    return [Layer(distance, mix(colours.main, colours.light, 0.35 * np.clip(vein, 0, 1)))]


def piece(x: Floats, y: Floats, colours: Colours, random: Generator) -> list[Layer]:
    """A wavy stroke, a blob, a shard, an arc, a cross or a leaf, in any of the textures of the classes."""
    kind, turn, width = int(random.integers(6)), random.uniform(0, 6), random.uniform(0.1, 0.25)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    if kind == 0:
        distance = np.maximum(np.abs(y - 0.25 * np.sin(4 * x + turn)) - width, np.abs(x) - 0.95)
    elif kind == 1:
        distance = radius - 0.65 - 0.2 * np.sin(3 * angle + turn) - 0.1 * np.sin(2 * angle - turn)
    elif kind == 2:
        corners = [turn + step + random.uniform(-0.5, 0.5) for step in (0.0, 1.5, 3.0, 4.5)]
        distance = convex(x, y, [(0.9 * math.cos(corner), 0.9 * math.sin(corner)) for corner in corners])
    elif kind == 3:
        distance = np.maximum(np.abs(radius - 0.75) - width, (np.abs(angle) - 1.2) * radius)
    elif kind == 4:
        distance = np.minimum(box(x, y, (-0.9, -width, 0.9, width)), box(x, y, (-width, -0.9, width, 0.4)))
    else:
        return leaf(x, y, colours, random)
    pitch = random.uniform(6, 16)
    waves = (0 * x, 3 * np.sin(x * pitch), 4 * np.sin(x * pitch) * np.sin(y * pitch) - 1, x + 0.5)
    return [Layer(distance, mix(colours.main, colours.accent, waves[int(random.integers(4))]))]
