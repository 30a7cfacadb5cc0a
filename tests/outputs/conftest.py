"""Records to write: two images, one of them in a folder, and one that failed."""

from collections.abc import Callable

import numpy as np
import pytest

from wsloc.outputs.predictions import Records
from wsloc.records import Box, Classes, Failure, Localization, Prediction

NAMES = ("tench", "goldfish", "crane", "crane")
IDS = ("n01440764", "n01443537", "n02012849", "n03126707")


def predicted(
    index: int, box: Box, probability: float = 0.5, mass: float = 0.98, name: str | None = None
) -> Prediction:
    return Prediction(index, IDS[index % 4], name or NAMES[index % 4], probability, box, mass)


@pytest.fixture
def classes() -> Classes:
    return Classes(IDS, NAMES)


@pytest.fixture
def predict() -> Callable[..., Prediction]:
    return predicted


@pytest.fixture
def record() -> Localization:
    """Two classes in one image, with a map for each."""
    maps = np.zeros((2, 8, 8), dtype=np.float32)
    maps[0, 2:4, 2:4], maps[1, 5, 6] = 4, 0.5
    return Localization(
        "a/b.jpg",
        500,
        375,
        "entropy-class",
        (
            predicted(1, (12.0, 3.5, 240.25, 199.0), 0.93, 0.981),
            predicted(3, (0.0, 0.0, 500.0, 375.0), 0.1, 0),
        ),
        (1, 3),
        maps,
    )


@pytest.fixture
def records(record: Localization) -> Records:
    """The record, a failure, a record without predictions, and one with a box in the far corner."""
    stored = (
        record,
        Failure("broken.jpg", "is not an image"),
        Localization("empty.png", 10, 20, "cam", ()),
        Localization("c.jpg", 7, 9, "cam", (predicted(0, (6.2, 8.5, 7.0, 9.0), 1 / 3),)),
    )
    return lambda: iter(stored)
