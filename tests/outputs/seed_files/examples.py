"""Seeds of two images, small enough to be counted, under VOC's numbers and under others."""

from __future__ import annotations

import numpy as np

from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.outputs.seed_files.seed_log import SeedLine, seed_line
from wsloc.records import Classes, ImageSeeds

WORDS = Classes(("n01", "n02", "n03"), ("star", "donut", "fish"))
ANIMALS = Classes(("a", "b", "c"), ("cat", "Dining table", "tv/monitor"))
PLAIN, VOC = Numbering.of(WORDS), Numbering.of(ANIMALS)


def seeds(
    mask: object = ((0, 1, 255), (2, 1, 0)),
    image: str = "a/b.jpg",
    class_indices: tuple[int, ...] = (0, 2),
    **fields: object,
) -> ImageSeeds:
    """Seeds of 2 x 3 pixels: 0 background, place + 1, 255."""
    array = np.array(mask, np.uint8)
    maps = np.stack([(array == place).astype(np.float32) for place in range(1, len(class_indices) + 1)])
    probabilities = tuple(0.9 - 0.5 * place for place in range(len(class_indices)))
    return ImageSeeds(image, array, class_indices, probabilities, maps, "cam", **fields)  # type: ignore[arg-type]  # tests


def many() -> list[ImageSeeds]:
    """Images of several sizes and labels; one class has no pixel, one image nothing but ignored pixels."""
    generator = np.random.default_rng(0)
    values = np.array([0, 1, 2, 255])
    return [
        seeds(values[generator.integers(0, 4, (60, 90))], "one.jpg", (0, 1)),
        seeds(np.full((41, 41), 255), "two.png", (2,)),
        seeds(values[generator.integers(0, 2, (300, 17))], "sub/three.jpg", (1, 2)),
    ]


def lines(numbering: Numbering = PLAIN) -> list[SeedLine]:
    """The lines of `many`."""
    return [seed_line(found, numbering) for found in many()]
