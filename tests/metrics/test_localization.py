"""Overlaps equal a count of pixels; errors and intervals equal their definitions."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsloc.metrics.localization import (
    IOU_THRESHOLD,
    area,
    best_iou,
    gt_known_localization_error,
    iou,
    paired_bootstrap,
)

Box = tuple[int, int, int, int]

SIDE = 12  # pixels


@st.composite
def pixel_boxes(draw: st.DrawFn) -> Box:
    """A half-open box of at least one pixel."""
    x0, y0 = draw(st.integers(0, SIDE - 1)), draw(st.integers(0, SIDE - 1))
    return x0, y0, draw(st.integers(x0 + 1, SIDE)), draw(st.integers(y0 + 1, SIDE))


def pixels(box: Box) -> set[tuple[int, int]]:
    return set(product(range(box[0], box[2]), range(box[1], box[3])))


def counted_iou(one: Box, other: Box) -> float:
    return len(pixels(one) & pixels(other)) / len(pixels(one) | pixels(other))


def inclusive_iou(one: Box, other: Box) -> float:
    """As the official code has it: corners inside the box, and so + 1."""
    width = min(one[2], other[2]) - max(one[0], other[0]) + 1
    height = min(one[3], other[3]) - max(one[1], other[1]) + 1
    intersection = max(0, width) * max(0, height)
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    return intersection / (sum(areas) - intersection)


@settings(max_examples=200, deadline=None)
@given(one=pixel_boxes(), other=pixel_boxes())
def test_overlap_is_a_share_of_pixels(one: Box, other: Box) -> None:
    assert iou(one, other) == pytest.approx(counted_iou(one, other))
    assert iou(other, one) == iou(one, other)
    assert iou(one, one) == 1
    assert area(one) == len(pixels(one))


@settings(max_examples=200, deadline=None)
@given(one=pixel_boxes(), other=pixel_boxes())
def test_half_open_boxes_have_the_official_overlap(one: Box, other: Box) -> None:
    def inclusive(box: Box) -> Box:
        return box[0], box[1], box[2] - 1, box[3] - 1

    assert iou(one, other) == pytest.approx(inclusive_iou(inclusive(one), inclusive(other)))


def test_overlaps_by_hand() -> None:
    box = (0.0, 0.0, 10.0, 10.0)
    assert iou(box, (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou(box, (0, 0, 10, 5)) == 0.5
    assert iou(box, (10, 0, 20, 10)) == 0  # they touch
    assert iou(box, (2.5, 2.5, 7.5, 7.5)) == 0.25
    # One pixel, as inclusive corners (4, 4, 4, 4), and the four round it.
    assert iou((4, 4, 5, 5), (4, 4, 6, 6)) == 0.25


@pytest.mark.parametrize("empty", [(3, 3, 3, 8), (3, 3, 3, 3), (5, 5, 3, 8), (5, 5, 3, 3)])
def test_empty_and_inverted_boxes_overlap_nothing(empty: Box) -> None:
    assert area(empty) == 0
    assert iou(empty, (0, 0, 10, 10)) == 0
    assert iou(empty, empty) == 0


def test_pairs_broadcast() -> None:
    one = np.array([(0, 0, 4, 4), (0, 0, 2, 2), (9, 9, 10, 10)])
    found = iou(one[:, None], one[None])
    assert found.shape == (3, 3)
    np.testing.assert_array_equal(found, [[1, 0.25, 0], [0.25, 1, 0], [0, 0, 1]])
    assert iou(one[0], one).shape == (3,)
    assert iou(one[0], one[0]).shape == ()
    assert iou(np.empty((0, 4)), np.empty((0, 4))).shape == (0,)


@pytest.mark.parametrize("shape", [(3,), (2, 5), ()])
def test_boxes_have_four_edges(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected boxes"):
        iou(np.zeros(shape), (0, 0, 1, 1))
    with pytest.raises(ValueError, match="expected boxes"):
        iou((0, 0, 1, 1), np.zeros(shape))


# The best of several


@settings(max_examples=100, deadline=None)
@given(images=st.lists(st.tuples(pixel_boxes(), st.lists(pixel_boxes(), max_size=3)), max_size=5))
def test_the_best_of_the_true_boxes_counts(images: list[tuple[Box, list[Box]]]) -> None:
    found = best_iou([box for box, _ in images], [truth for _, truth in images])
    expected = [max((counted_iou(box, true) for true in truth), default=0.0) for box, truth in images]
    assert found.shape == (len(images),)
    np.testing.assert_allclose(found, expected)
    if images:
        error = gt_known_localization_error([box for box, _ in images], [truth for _, truth in images], 0.3)
        assert error == pytest.approx(np.mean([overlap < 0.3 for overlap in expected]))


def test_a_box_is_right_from_the_threshold_on() -> None:
    truth = [[(0, 0, 10, 10)]] * 3
    half, less, none = (0, 0, 10, 5), (0, 0, 10, 4.999), (20, 20, 30, 30)
    assert IOU_THRESHOLD == 0.5
    assert gt_known_localization_error([half, half, half], truth) == 0
    assert gt_known_localization_error([half, less, none], truth) == pytest.approx(2 / 3)
    assert gt_known_localization_error([half, less, none], truth, iou_threshold=0.4) == pytest.approx(1 / 3)


def test_an_image_without_a_true_box_is_wrong() -> None:
    assert gt_known_localization_error([(0, 0, 1, 1)], [[]]) == 1
    assert gt_known_localization_error([(0, 0, 1, 1)], [np.empty((0, 4))]) == 1


@pytest.mark.parametrize(
    ("predicted", "truth", "words"),
    [
        ([(0, 0, 1, 1)], [], "a truth for each of 1"),
        ([(0, 0, 1, 1)], [[], []], "got 2"),
        ([(0, 0, 1, 1, 1)] * 4, [[]] * 5, "expected boxes"),  # as many numbers as five boxes have
        ((0, 0, 1, 1), [[]], "expected boxes"),
        ([(0, 0, 1, 1)], [(0, 0, 1, 1)], "expected boxes"),
        ([(0, 0, 1, 1)], [[(0, 0, 1)]], "expected boxes"),
    ],
)
def test_boxes_that_do_not_fit_are_refused(
    predicted: npt.ArrayLike, truth: list[npt.ArrayLike], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        best_iou(predicted, truth)


def test_no_images_have_no_error() -> None:
    with pytest.raises(ValueError, match="no images"):
        gt_known_localization_error([], [])


# Intervals


def test_every_resample_of_two_images_by_hand() -> None:
    """Of the differences 0 and 1 a resample's mean is 0, 1/2 or 1, in one, two and one of four cases."""
    one, other = [1, 1], [1, 0]
    assert paired_bootstrap(one, other, confidence=0.9) == (0.5, 0, 1)  # 5 % and 95 %: beyond a quarter
    assert paired_bootstrap(one, other, confidence=0.4) == (0.5, 0.5, 0.5)  # 30 % and 70 %: within the half


def test_the_interval_is_that_of_all_resamples() -> None:
    difference = np.array([0.0, 0.3, 1.0, -0.4, 0.2])
    means = [np.mean(drawn) for drawn in product(difference, repeat=5)]  # all 3,125, equally likely
    expected = np.quantile(means, [0.025, 0.975])
    mean, lower, upper = paired_bootstrap(difference, np.zeros(5), resamples=20_000)
    assert mean == pytest.approx(difference.mean())
    np.testing.assert_allclose([lower, upper], expected, atol=0.021)  # the means are 0.02 apart and more


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        one, other = random.random(60) < 0.5, random.random(60) < 0.3
        _, lower, upper = paired_bootstrap(one, other, resamples=200)
        held += lower <= 0.2 <= upper
    assert 0.86 <= held / 100 <= 1


def test_runs_are_resampled_together() -> None:
    random = np.random.default_rng(0)
    one, other = random.random((3, 40)), random.random((3, 40))
    together = paired_bootstrap(one, other)
    assert together == pytest.approx(paired_bootstrap(one.mean(axis=0), other.mean(axis=0)))
    assert together[0] == pytest.approx(np.mean(one - other))


def test_pairs_matter() -> None:
    """Where both are wrong of the same images, the difference is sure, however much each of them varies."""
    one = np.arange(50) % 2
    assert paired_bootstrap(one, one - 0.25) == pytest.approx((0.25, 0.25, 0.25))
    mean, lower, upper = paired_bootstrap(one, 1 - one)
    assert mean == 0
    assert lower < -0.2 < 0.2 < upper


def test_the_other_way_round_is_the_mirror_image() -> None:
    random = np.random.default_rng(1)
    one, other = random.random(30), random.random(30)
    mean, lower, upper = paired_bootstrap(one, other)
    assert paired_bootstrap(other, one) == pytest.approx((-mean, -upper, -lower))
    assert lower < mean < upper


def test_seeds_decide() -> None:
    one = np.random.default_rng(2).random(30)
    assert paired_bootstrap(one, one * 0) == paired_bootstrap(one, one * 0)
    assert paired_bootstrap(one, one * 0) != paired_bootstrap(one, one * 0, random_seed=1)


@pytest.mark.parametrize(
    "shapes", [((3,), (4,)), ((0,), (0,)), ((2, 3), (3,)), ((), ()), ((1, 2, 3), (1, 2, 3))]
)
def test_figures_of_other_images_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="the same images twice"):
        paired_bootstrap(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_intervals_that_cannot_be_are_refused() -> None:
    for options in ({"resamples": 0}, {"confidence": 0.0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match="cannot take"):
            paired_bootstrap([1.0], [0.0], **options)
