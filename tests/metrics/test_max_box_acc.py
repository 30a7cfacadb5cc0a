from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.reference import wsol_literal
from tests.reference.example_score_maps import MAPS, SIDE, blank, smooth
from wsloc.errors import DataError, MapError, UsageError
from wsloc.metrics.max_box_acc import MaxBoxAcc, best_inclusive_iou, protocol_boxes

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.metrics.max_box_acc import ContourRule

RULES: tuple[ContourRule, ...] = ("single", "multi")


def half_open(boxes: list[tuple[int, int, int, int]]) -> npt.NDArray[np.int64]:
    return np.asarray(np.add(boxes, (0, 0, 1, 1)))


@pytest.mark.parametrize("name", list(MAPS))
def test_every_threshold_is_as_in_the_literal_protocol(name: str) -> None:
    values = MAPS[name]
    width, height = 333, 250
    boxes = [(40, 20, 250, 220), (0, 0, 332, 249), (60, 60, 70, 90), (0, 0, 0, 0), (330, 248, 332, 249)]
    truth = [wsol_literal.in_map(box, width, height, SIDE) for box in boxes]
    accuracy = MaxBoxAcc(step=0.001)
    found = accuracy.update(values, half_open(boxes), (height, width), "a.jpg")
    single, multi = wsol_literal.best_overlaps(values, truth, np.arange(0, 1, 0.001).tolist())
    assert len(accuracy.thresholds) == 1000
    np.testing.assert_array_equal(found.single, single)
    np.testing.assert_array_equal(found.multi, multi)
    for rule, overlaps in zip(RULES, (single, multi), strict=True):
        expected = [[overlap >= minimum for overlap in overlaps] for minimum in (0.3, 0.5, 0.7)]
        np.testing.assert_array_equal(accuracy.counts(rule), expected)


def test_no_contour_is_the_first_pixel() -> None:
    accuracy = MaxBoxAcc()
    accuracy.update(blank(), [[0, 0, 1, 1]], (SIDE, SIDE))
    assert accuracy.max_box_acc() == 100
    accuracy.update(blank(), [[1, 0, 2, 1]], (SIDE, SIDE))
    assert accuracy.max_box_acc() == 50


def test_boxes_are_truncated_at_all_corners() -> None:
    # 0-based inclusive 119, 60, 409, 264 in an image of 500 x 335
    boxes = protocol_boxes([[119, 60, 410, 265]], (335, 500))
    assert boxes.tolist() == [[53, 40, 183, 176]]
    assert boxes.dtype == np.int64
    assert protocol_boxes([[10.5, 3.2, 10.9, 3.4]], (SIDE, SIDE)).tolist() == [[10, 3, 10, 3]]
    assert protocol_boxes(np.zeros((0, 4)), (10, 10)).shape == (0, 4)


def test_iou_is_inclusive() -> None:
    candidates = np.array([[0, 0, 9, 9], [0, 0, 4, 9], [20, 20, 20, 20], [10, 0, 19, 9]])
    truth = np.array([[0, 0, 9, 9], [20, 20, 21, 20]])
    np.testing.assert_array_equal(best_inclusive_iou(candidates, truth), [1, 0.5, 0.5, 0])


def test_an_iou_of_exactly_the_threshold_is_right() -> None:
    values = blank()
    values[0:9, 0:9] = 1  # box 0, 0, 9, 9: 100 pixels
    accuracy = MaxBoxAcc(step=0.5, iou_thresholds=(0.5,))
    accuracy.update(values, [[0, 0, 5, 10]], (SIDE, SIDE))
    assert accuracy.accuracies("single").tolist() == [[100, 100]]
    accuracy.update(values, [[0, 0, 5, 9]], (SIDE, SIDE))
    assert accuracy.accuracies("single").tolist() == [[50, 50]]


def two_images() -> MaxBoxAcc:
    """One image whose brighter blob is right, one whose dimmer blob is; the wide one is the other."""
    accuracy = MaxBoxAcc(step=0.25)
    for box in ([10, 10, 41, 41], [100, 100, 181, 181]):
        values = blank()
        values[10:40, 10:40] = 1
        values[100:180, 100:180] = 0.4
        accuracy.update(values, [box], (SIDE, SIDE))
    return accuracy


def test_figures_and_curves_of_a_run() -> None:
    accuracy = two_images()
    # The wide, dim blob is the largest contour below 0.4 of the maximum; above, only the bright one is left.
    assert accuracy.curve("single") == {
        "thresholds": [0, 0.25, 0.5, 0.75],
        "0.3": [50] * 4,
        "0.5": [50] * 4,
        "0.7": [50] * 4,
    }
    assert accuracy.curve("multi")["0.7"] == [100, 100, 50, 50]
    assert accuracy.max_box_acc() == 50
    assert accuracy.max_box_acc_v2() == 100
    assert accuracy.best("multi")[0.5] == (100, 0)
    assert accuracy.accuracy_at(0.2, 0.7, "multi") == 100
    assert accuracy.accuracy_at(0.9, 0.7, "multi") == 50


def test_v2_takes_each_iou_threshold_at_its_own_best() -> None:
    accuracy = MaxBoxAcc(step=0.25)
    values = blank()
    values[0:100, 0:100] = 0.5
    values[0:60, 0:99] = 1
    # The bright part fits the first box, and the whole the second; crosswise the IoU is 0.598.
    accuracy.update(values, [[0, 0, 100, 61]], (SIDE, SIDE))
    accuracy.update(values, [[0, 0, 101, 101]], (SIDE, SIDE))
    tops = accuracy.best("multi")
    assert {iou: top.accuracy for iou, top in tops.items()} == {0.3: 100, 0.5: 100, 0.7: 50}
    assert accuracy.max_box_acc_v2() == pytest.approx(250 / 3)


def test_a_failed_image_is_wrong_everywhere_and_counted() -> None:
    accuracy = two_images()
    accuracy.update_failed()
    assert (accuracy.images, accuracy.failed) == (3, 1)
    assert accuracy.max_box_acc() == pytest.approx(100 / 3)


def test_parts_can_be_pickled_and_merged() -> None:
    whole, first, second = MaxBoxAcc(), MaxBoxAcc(), MaxBoxAcc()
    for seed in range(4):
        part = first if seed < 2 else second
        for accuracy in (whole, part):
            accuracy.update(smooth(seed), [[30, 40, 180, 190]], (SIDE, SIDE))
    second.update_failed()
    whole.update_failed()
    first.merge(pickle.loads(pickle.dumps(second)))  # noqa: S301 - of this test
    assert first.curve("single") == whole.curve("single")
    assert first.curve("multi") == whole.curve("multi")
    assert (first.images, first.failed) == (5, 1)
    assert len(pickle.dumps(first)) < 100_000
    with pytest.raises(ValueError, match="same map and IoU thresholds"):
        first.merge(MaxBoxAcc(step=0.01))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((SIDE, SIDE), np.nan), "b/a.jpg: .*NaN"),
        (np.full((SIDE, SIDE), 1.5), "b/a.jpg: .*outside .0, 1.*--normalize"),
        (np.full((SIDE, SIDE), -0.5), "b/a.jpg: .*outside"),
        (np.zeros((64, 48)), "b/a.jpg: the map is 64 x 48.*224 x 224"),
        (np.zeros((SIDE, SIDE, 1)), "b/a.jpg: .*two dimensions"),
        (np.zeros((SIDE, SIDE), np.complex64), "b/a.jpg: .*real numbers"),
    ],
)
def test_a_map_that_cannot_be_scored_is_named(values: npt.NDArray[Any], message: str) -> None:
    accuracy = MaxBoxAcc(step=0.1)
    with pytest.raises(MapError, match=message):
        accuracy.update(values, [[0, 0, 5, 5]], (10, 10), "b/a.jpg")
    assert accuracy.images == 0


def test_annotations_that_cannot_be_scored_are_named() -> None:
    accuracy = MaxBoxAcc(step=0.1)
    with pytest.raises(DataError, match=r"a\.jpg: no box"):
        accuracy.update(blank(), [], (10, 10), "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg: image size 0 x 0"):
        accuracy.update(blank(), [[0, 0, 1, 1]], (0, 0), "a.jpg")


def test_figures_that_cannot_be_had_raise() -> None:
    with pytest.raises(ValueError, match="no images"):
        MaxBoxAcc().max_box_acc_v2()
    with pytest.raises(ValueError, match=r"IoU 0\.5"):
        MaxBoxAcc(iou_thresholds=(0.3,)).max_box_acc()
    with pytest.raises(UsageError, match="threshold step"):
        MaxBoxAcc(step=0)
