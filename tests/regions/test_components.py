from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.reference import example_maps
from tests.reference.components_literal import bounding_box, components
from tests.reference.rectangle_literal import by_definition
from wsloc.errors import MapError
from wsloc.regions.components import excess_boxes, mass_boxes, threshold_boxes
from wsloc.regions.rectangle import Rectangle, smallest_rectangle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.reference.components_literal import Component

THRESHOLDS = (0.0, 0.1, 0.2, 1 / 3, 0.5, 0.9, 1.0)

# Two blobs of 4 cells and one of 2, apart even diagonally; the small one is the heaviest.
THREE = np.array(
    [
        [2, 2, 0, 0, 0, 9],
        [2, 2, 0, 0, 0, 9],
        [0, 0, 0, 0, 0, 0],
        [1, 0, 0, 3, 3, 0],
        [0, 0, 0, 3, 3, 0],
    ]
)


def small_maps() -> list[tuple[npt.NDArray[np.int64], float]]:
    """Random maps of small integers with many components and ties, with a threshold each; none is all zeros."""
    generator = np.random.default_rng(7)
    maps = []
    for case in range(400):
        shape = generator.integers(1, 10, 2)
        values = generator.integers(0, 6, shape) * (
            generator.random(shape) < generator.choice([0.3, 0.5, 1.0])
        )
        values[generator.integers(shape[0]), generator.integers(shape[1])] = 5
        maps.append((values, THRESHOLDS[case % len(THRESHOLDS)]))
    return maps


def corners(rectangle: Rectangle) -> tuple[int, int, int, int]:
    return rectangle.top, rectangle.left, rectangle.bottom, rectangle.right


def fraction_inside(values: npt.NDArray[Any], box: tuple[int, int, int, int]) -> float:
    top, left, bottom, right = box
    return float(Fraction(int(values[top:bottom, left:right].sum()), int(values.sum())))


def by_mass(values: npt.NDArray[Any]) -> Callable[[Component], tuple[Any, ...]]:
    """The order of several boxes: heaviest, then largest, then by place."""
    return lambda part: (-sum(int(values[cell]) for cell in part), -len(part), bounding_box(part))


def test_one_box_is_that_of_the_largest_component() -> None:
    for values, map_threshold in small_maps():
        parts = components(values, map_threshold)
        weight = by_mass(values)
        largest = min(parts, key=lambda part: (-len(part), weight(part)))
        box = bounding_box(largest)
        (rectangle,) = threshold_boxes(values, map_threshold)
        assert (corners(rectangle), rectangle.mass) == (box, fraction_inside(values, box))


def test_several_boxes_are_those_of_the_heaviest_components() -> None:
    several = 0
    for values, map_threshold in small_maps():
        parts = sorted(components(values, map_threshold), key=by_mass(values))
        several += len(parts) > 1
        for count in (2, 3, 1000):
            rectangles = threshold_boxes(values, map_threshold, count)
            boxes = [bounding_box(part) for part in parts[:count]]
            assert [corners(rectangle) for rectangle in rectangles] == boxes
            assert [item.mass for item in rectangles] == [fraction_inside(values, box) for box in boxes]
    assert several > 100


def test_several_mass_boxes_hold_the_mass_of_each_component() -> None:
    for values, map_threshold in small_maps()[:150]:
        if values.size > 36:
            continue
        parts = sorted(components(values, map_threshold), key=by_mass(values))[:3]
        rectangles = mass_boxes(values, 0.7, map_threshold, 3)
        assert len(rectangles) == len(parts)
        for rectangle, part in zip(rectangles, parts, strict=True):
            alone = np.zeros_like(values)
            alone[tuple(zip(*part, strict=True))] = values[tuple(zip(*part, strict=True))]
            if not alone.any():
                continue
            box, _ = by_definition(alone, Fraction(7, 10))
            assert (corners(rectangle), rectangle.mass) == (box, fraction_inside(values, box))


def test_one_mass_box_is_the_smallest_rectangle_whatever_the_threshold() -> None:
    for random_seed in range(5):
        values = example_maps.softmax_like(40, random_seed)
        for mass in (0.5, 0.98):
            expected = [smallest_rectangle(values, mass)]
            assert mass_boxes(values, mass) == expected
            assert mass_boxes(values, mass, map_threshold=0.9) == expected


def test_the_order_of_three_known_blobs() -> None:
    assert [corners(item) for item in threshold_boxes(THREE)] == [
        (3, 3, 5, 5)
    ]  # as large as the first: heavier
    several = [corners(item) for item in threshold_boxes(THREE, count=9)]
    assert several == [(0, 5, 2, 6), (3, 3, 5, 5), (0, 0, 2, 2)]
    assert threshold_boxes(THREE, count=2) == threshold_boxes(THREE, count=9)[:2]
    assert [corners(item) for item in mass_boxes(THREE, 0.5, count=3)] == [
        (0, 5, 1, 6),
        (3, 3, 4, 5),
        (0, 0, 1, 2),
    ]
    assert mass_boxes(THREE, 0.5, count=3)[0].mass == pytest.approx(9 / 39)


def test_diagonal_neighbours_are_connected() -> None:
    values = np.eye(4)
    assert threshold_boxes(values, count=5) == [Rectangle(0, 0, 4, 4, 1.0)]


def test_a_box_counts_the_mass_of_other_cells_in_it_too() -> None:
    values = np.array([[8, 8, 8], [8, 1, 0], [8, 0, 3]])  # the corner is not connected, the middle too light
    (first, second) = threshold_boxes(values, 0.3, count=5)
    assert (corners(first), first.mass) == ((0, 0, 3, 3), 1.0)
    assert (corners(second), second.mass) == ((2, 2, 3, 3), 3 / 44)


def test_the_threshold_is_inclusive_and_decimal() -> None:
    assert threshold_boxes([[7, 100]], 0.07) == [Rectangle(0, 0, 1, 2, 1.0)]  # 0.07 * 100 > 7 in floats
    assert threshold_boxes([[0.1, 0.5]], 0.2) == [Rectangle(0, 0, 1, 2, 1.0)]
    assert corners(threshold_boxes([[6, 100]], 0.07)[0]) == (0, 1, 1, 2)


def test_a_threshold_of_0_takes_all_cells_and_of_1_the_maximum() -> None:
    values = np.array([[0, 1, 5, 0]])
    assert corners(threshold_boxes(values, 0)[0]) == (0, 0, 1, 4)
    assert corners(threshold_boxes(values, 1)[0]) == (0, 2, 1, 3)


@pytest.mark.parametrize("scale", [2.0**-1074, 2.0**-140, 1.0, 2.0**1015])
def test_extreme_scales_change_nothing(scale: float) -> None:
    values = np.array([[1.0, 0, 40], [0, 0, 100]])
    expected = [corners(item) for item in threshold_boxes(values, 0.2, 2)]
    assert expected == [(0, 2, 2, 3)]
    assert [corners(item) for item in threshold_boxes(values * scale, 0.2, 2)] == expected
    assert [corners(item) for item in mass_boxes(values * scale, 0.9, 0.2, 2)] == expected


@pytest.mark.parametrize("count", [1, 3])
def test_a_map_of_zeros_gives_the_whole_map_without_mass(count: int) -> None:
    whole = [Rectangle(0, 0, 3, 5, 0.0)]
    assert threshold_boxes(np.zeros((3, 5)), count=count) == whole
    assert mass_boxes(torch.zeros(3, 5), count=count) == whole


def test_numpy_torch_and_bool_agree() -> None:
    values = torch.from_numpy(example_maps.softmax_like(40, 1)).bfloat16()
    for count in (1, 3):
        expected = threshold_boxes(values.float().numpy(), count=count)
        assert threshold_boxes(values, count=count) == expected
        assert threshold_boxes(values.double().requires_grad_(), count=count) == expected
        assert mass_boxes(values, count=count) == mass_boxes(values.float().numpy(), count=count)
    assert threshold_boxes(THREE > 2, count=3) == threshold_boxes((THREE > 2) * 1.0, count=3)


@pytest.mark.parametrize("boxes", [threshold_boxes, mass_boxes])
def test_bad_maps_and_options_are_refused(boxes: Callable[..., list[Rectangle]]) -> None:
    for map_threshold in (-0.1, 1.5, 20, float("nan")):
        with pytest.raises(MapError, match=r"map_threshold .* write 20 % as 0\.2"):
            boxes(THREE, map_threshold=map_threshold)
    with pytest.raises(MapError, match="at least 1, not 0"):
        boxes(THREE, count=0)
    for count in (1, 2):
        with pytest.raises(MapError, match="apply ReLU"):
            boxes(-THREE, count=count)
        with pytest.raises(MapError, match="two dimensions"):
            boxes(THREE[None], count=count)


@pytest.mark.parametrize("count", [1, 2])
def test_a_mass_outside_0_to_1_is_refused(count: int) -> None:
    with pytest.raises(MapError, match="mass is a fraction"):
        mass_boxes(THREE, 98, count=count)


# What rises above a threshold


def test_the_excess_is_what_rises_above_the_threshold() -> None:
    values = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 3.0, 10.0, 2.0]])
    # Above 2: 1 and 8; the rest, which holds half of the mass, no longer counts.
    assert corners(excess_boxes(values, 1.0, 0.2)[0]) == (1, 1, 2, 3)
    assert corners(excess_boxes(values, 0.85, 0.2)[0]) == (1, 2, 2, 3)
    assert excess_boxes(values, 0.85, 0.2)[0].mass == pytest.approx(8 / 9)
    assert corners(mass_boxes(values, 0.85)[0]) != (1, 2, 2, 3)


def test_no_threshold_leaves_the_rectangle_of_the_mass() -> None:
    for values, _ in small_maps()[:60]:
        for mass in (0.5, 0.98):
            assert excess_boxes(values, mass, 0.0) == mass_boxes(values, mass)


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5])
def test_excess_boxes_are_the_smallest_rectangles_of_the_excess(threshold: float) -> None:
    for values, _ in small_maps()[:60]:
        above = np.maximum(values - threshold * values.max(), 0.0)
        assert excess_boxes(values, 0.9, threshold)[0] == smallest_rectangle(above, 0.9)


def test_several_excess_boxes_are_of_its_components() -> None:
    found = excess_boxes(THREE, 1.0, 0.2, count=3)  # above 1.8: the blob of ones is gone
    assert [corners(one) for one in found] == [(0, 5, 2, 6), (3, 3, 5, 5), (0, 0, 2, 2)]


def test_excess_boxes_have_their_limits() -> None:
    assert corners(excess_boxes(np.zeros((3, 4)))[0]) == (0, 0, 3, 4)
    assert corners(excess_boxes(np.full((3, 4), 2.0))[0])[2:] > (0, 0)
    with pytest.raises(MapError, match="nothing rises above the maximum"):
        excess_boxes(THREE, 0.9, 1.0)
    with pytest.raises(MapError, match="map_threshold is a fraction"):
        excess_boxes(THREE, 0.9, -0.1)
