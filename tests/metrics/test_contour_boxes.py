from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.reference import wsol_literal
from tests.reference.example_score_maps import MAPS, SIDE, Map, blank, plateaus, smooth
from wsloc.metrics.contour_boxes import candidate_boxes
from wsloc.metrics.score_maps import map_thresholds

# Few grey values, so that plateaus, holes, ties and single pixels are common.
small_maps = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0.0, 0.0, 0.1, 0.25, 0.5, 0.501, 1.0]),
)

coarse_maps = arrays.arrays(
    np.float64,
    st.tuples(st.integers(2, 5), st.integers(2, 5)),
    elements=st.integers(0, 16).map(lambda n: n / 16),
)


def assert_literal(values: Map, thresholds: Map) -> None:
    found = candidate_boxes(values, thresholds)
    ends = [*found.starts[1:].tolist(), len(found.boxes)]
    for threshold, mask in zip(thresholds.tolist(), found.masks.tolist(), strict=True):
        largest, boxes = wsol_literal.boxes_at(values, threshold)
        assert [tuple(box) for box in found.boxes[found.starts[mask] : ends[mask]].tolist()] == boxes
        assert tuple(found.boxes[found.largest[mask]].tolist()) == largest


@settings(max_examples=60, deadline=None)
@given(small_maps)
def test_candidate_boxes_are_the_literal_ones_on_small_maps(values: Map) -> None:
    assert_literal(values, map_thresholds(0.07))


@settings(max_examples=25, deadline=None)
@given(coarse_maps, st.sampled_from([cv2.INTER_LINEAR, cv2.INTER_CUBIC]), st.integers(10, 30))
def test_candidate_boxes_are_the_literal_ones_on_smooth_maps(
    values: Map, interpolation: int, side: int
) -> None:
    smoothed = np.asarray(cv2.resize(values, (side, side), interpolation=interpolation)).clip(0, 1)
    assert_literal(smoothed, np.arange(256) / 256)


@pytest.mark.parametrize("name", list(MAPS))
def test_candidate_boxes_are_the_literal_ones_on_whole_maps(name: str) -> None:
    assert_literal(MAPS[name].astype(np.float64), map_thresholds(0.015))


def test_masks_that_are_equal_are_searched_once() -> None:
    assert len(candidate_boxes(plateaus(), map_thresholds()).starts) == 3
    assert len(candidate_boxes(np.ones((SIDE, SIDE)), map_thresholds()).starts) == 1
    assert 200 < len(candidate_boxes(smooth(0), map_thresholds()).starts) <= 255


def searches(values: Map, monkeypatch: pytest.MonkeyPatch) -> int:
    find, calls = cv2.findContours, 0

    def counted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return find(*arguments)

    monkeypatch.setattr(cv2, "findContours", counted)
    candidate_boxes(values, map_thresholds())
    return calls


def test_a_single_blob_is_searched_at_its_two_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    bump = np.exp(-((rows - 100.3) ** 2 + (columns - 90.2) ** 2) / 3000)
    assert searches(bump / bump.max(), monkeypatch) <= 4


def test_a_second_peak_is_searched_where_the_two_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    bump, other = (np.exp(-((rows - 100.3) ** 2 + (columns - x) ** 2) / 1500) for x in (60.2, 160.6))
    two = bump + 0.7 * other
    # Apart between grey 95 and 178 or so.
    assert 60 < searches(two / two.max(), monkeypatch) < 120


def boxes_of(values: Map, threshold: float = 0.5) -> tuple[list[int], list[list[int]]]:
    found = candidate_boxes(values, np.array([threshold]))
    return found.boxes[found.largest[0]].tolist(), sorted(found.boxes.tolist())


def test_the_right_edge_stands_one_pixel_outside_except_at_the_border() -> None:
    values = blank()
    values[10:20, 30:50] = 1
    assert boxes_of(values) == ([30, 10, 50, 20], [[30, 10, 50, 20]])
    values[10:SIDE, 30:SIDE] = 1
    assert boxes_of(values)[0] == [30, 10, SIDE - 1, SIDE - 1]


def test_a_hole_has_a_box_of_its_own() -> None:
    values = blank()
    values[10:60, 10:60] = 1
    values[30:40, 20:50] = 0
    # The hole's outline runs over the pixels around it.
    assert boxes_of(values) == ([10, 10, 60, 60], [[10, 10, 60, 60], [19, 29, 51, 41]])


def test_largest_is_by_the_area_enclosed_and_not_by_pixels() -> None:
    values = blank()
    values[5, 5:205] = 1  # 200 pixels that enclose nothing
    values[50:60, 50:60] = 1  # 100 pixels
    assert boxes_of(values)[0] == [50, 50, 60, 60]
    values[100:130, 100:130] = 1
    values[101:129, 101:129] = 0  # 116 pixels around 900
    values[50:70, 50:70] = 1  # 400 pixels
    assert boxes_of(values)[0] == [100, 100, 130, 130]


def test_the_threshold_is_a_fraction_of_the_maximum_and_the_comparison_strict() -> None:
    values = blank()
    values[10:50, 10:50] = 0.25  # grey 63
    values[20:30, 20:30] = 0.5  # grey 127
    assert boxes_of(values, 63 / 127 - 1e-6)[0] == [10, 10, 50, 50]
    assert boxes_of(values, 63 / 127 + 1e-6)[0] == [20, 20, 30, 30]
