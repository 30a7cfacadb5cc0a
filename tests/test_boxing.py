"""From observed maps to records; what depends on a network is in `test_localizer_maps`."""

from __future__ import annotations

import numpy as np
import pytest

from wsloc.boxing import Observed, boxed
from wsloc.inputs.loading import LoadedImage
from wsloc.records import Classes, Failure, Localization
from wsloc.request import Request

CLASSES = Classes(("n1", "n2", "n3"), ("star", "donut", "fish"))
# Twice the input's size, so that an input's cell is two pixels of the image.
IMAGE = LoadedImage("a.png", (8, 16), np.zeros((4, 8, 3), np.uint8), None)


def observed(*chosen: float, shared: bool = False) -> Observed:
    """A map for each class: class k has its one cell in column k of row 1."""
    maps = np.zeros((len(chosen), 4, 8), np.float32)
    maps[np.arange(len(chosen)), 1, np.arange(len(chosen))] = 1
    return Observed(np.arange(len(chosen)), np.array(chosen, np.float32), maps[:1] if shared else maps)


def record(found: Observed, map_name: str = "cam", **options: float) -> Localization:
    made = boxed(IMAGE, found, map_name, Request(**options), CLASSES)  # type: ignore[arg-type]  # numbers all
    assert isinstance(made, Localization)
    return made


def test_each_class_has_the_box_of_its_map_best_first() -> None:
    found = record(observed(0.2, 0.7, 0.1))
    assert [(entry.class_name, entry.box) for entry in found.predictions] == [
        ("donut", (2.0, 2.0, 4.0, 4.0)),
        ("star", (0.0, 2.0, 2.0, 4.0)),
        ("fish", (4.0, 2.0, 6.0, 4.0)),
    ]
    assert found.class_indices == (1, 0, 2)
    assert (found.width, found.height) == (16, 8)


def test_a_shared_map_gives_all_classes_one_box() -> None:
    found = record(observed(0.2, 0.7, 0.1, shared=True), "entropy-top5")
    assert {entry.box for entry in found.predictions} == {(0.0, 2.0, 2.0, 4.0)}
    assert found.class_indices == ()


def test_improbable_classes_are_left_out() -> None:
    assert [entry.class_id for entry in record(observed(0.2, 0.7, 0.1), min_probability=0.2).predictions] == [
        "n2",
        "n1",
    ]


@pytest.mark.parametrize(
    ("chosen", "cell", "error"),
    [(np.nan, 1.0, "the network's output is NaN"), (0.5, np.nan, "the activation map has NaN values")],
)
def test_what_is_not_finite_fails_the_image(chosen: float, cell: float, error: str) -> None:
    found = observed(chosen)
    found.maps[0, 0, 0] = cell
    made = boxed(IMAGE, found, "cam", Request(), CLASSES)
    assert isinstance(made, Failure)
    assert made.error.startswith(f"a.png: {error}")


def test_a_row_is_one_image_without_its_dimension() -> None:
    several = Observed(
        np.arange(6).reshape(2, 3), np.zeros((2, 3), np.float32), np.zeros((2, 3, 4, 8), np.float32)
    )
    row = several.row(1, 2)
    assert row.class_index.tolist() == [3, 4]
    assert row.maps.shape == (2, 4, 8)
    assert several.row(0, 2).draws is None
