"""Scenes as files.

Written: OUT/images (alone: a reader of folder-per-class trees must find nothing else there), OUT/masks (the
same names, palette PNG), OUT/annotations.csv (one row a box, half-open pixels), with `mixed` OUT/labels.csv.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.scenes.backgrounds import BACKGROUNDS
from tests.scenes.composition import Scene, make_scene
from tests.scenes.sprites import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# black, then one colour a class, flat as Pillow wants it
MASK_PALETTE = bytes.fromhex("000000 e63946 f4a261 e9c46a 2a9d8f 457b9d 8338ec ff006e 90be6d")
ANNOTATION_HEADER = ("image", "width", "height", "class", "x0", "y0", "x1", "y1")
DEMO_SEED = 7_310_425  # far from any --random-seed one would type
# name, classes, (height, width), background, seed: chosen by eye
DEMO: tuple[tuple[str, tuple[str, ...], tuple[int, int], str, int], ...] = (
    ("star_1.jpg", ("star",), (320, 320), "tiled", 104),
    ("donut_1.jpg", ("donut",), (300, 400), "wood", 107),
    ("flower_1.jpg", ("flower",), (360, 480), "leafy", 100),
    ("fish_1.jpg", ("fish",), (270, 360), "cloudy", 103),
    ("mushroom_1.png", ("mushroom",), (240, 320), "leafy", 101),
    ("key_1.jpg", ("key",), (320, 426), "wood", 105),
    ("butterfly_1.jpg", ("butterfly",), (400, 300), "graded", 102),
    ("umbrella_1.jpg", ("umbrella",), (360, 300), "striped", 106),
    ("star_and_donut.jpg", ("star", "donut"), (360, 480), "cloudy", 101),
    ("fish_and_flower.jpg", ("fish", "flower"), (320, 480), "graded", 100),
    ("two_butterflies.jpg", ("butterfly", "butterfly"), (320, 426), "leafy", 106),
    ("key_and_mushroom.jpg", ("key", "mushroom"), (300, 400), "wood", 103),
)


def _save(out: Path, image: str, scene: Scene) -> list[list[object]]:
    """Write picture and mask; returns the rows of annotations.csv."""
    picture, mask = out / "images" / image, (out / "masks" / image).with_suffix(".png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    mask.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene.picture).save(picture, quality=90, optimize=True)
    indexed = Image.fromarray(scene.mask).convert("P")
    indexed.putpalette(MASK_PALETTE)
    indexed.save(mask, optimize=True)
    height, width = scene.mask.shape
    return [[image, width, height, CLASSES[index], *box] for index, box in scene.boxes]


def _write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_scenes(out: Path, images: int, size: int, random_seed: int, *, mixed: bool = False) -> None:
    """Write `images` scenes of `size` x `size` pixels; image i depends on the seed and i alone."""
    rows: list[list[object]] = []
    labels: list[tuple[str, str]] = []
    for number in range(images):
        random = np.random.default_rng((random_seed, number))
        if mixed:
            chosen = [int(index) for index in random.permutation(len(CLASSES))[: random.integers(1, 4)]]
            image = f"{number}.jpg"
        else:
            chosen = [number % len(CLASSES)] * (1 + int(random.random() < 0.2))
            image = f"{CLASSES[chosen[0]]}/{number}.jpg"
        rows += _save(out, image, make_scene(random, (size, size), chosen))
        labels.append((image, ";".join(CLASSES[index] for index in sorted(set(chosen)))))
    _write_table(out / "annotations.csv", ANNOTATION_HEADER, rows)
    if mixed:
        _write_table(out / "labels.csv", ("image", "label"), labels)


def write_demo(out: Path) -> None:
    """Write the demo's dozen pictures, their masks and boxes."""
    rows: list[list[object]] = []
    for image, names, size, background, seed in DEMO:
        random = np.random.default_rng((DEMO_SEED, seed))
        classes = [CLASSES.index(name) for name in names]
        rows += _save(out, image, make_scene(random, size, classes, BACKGROUNDS.index(background)))
    _write_table(out / "annotations.csv", ANNOTATION_HEADER, rows)
