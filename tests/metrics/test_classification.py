"""Classification figures equal their definitions, spelled out image by image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsloc.metrics.classification import ClassificationError, mean_average_precision, topk_error

Case = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Scores (N, C) with many ties, and targets with at least one label an image."""
    images, classes = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = random.integers(0, draw(st.integers(1, 6)) + 1, (images, classes)) / 3
    targets = random.random((images, classes)) < 0.4
    targets[np.arange(images), random.integers(0, classes, images)] = True
    return scores.astype(np.float32), targets.astype(np.float32)


def slow_topk_error(scores: npt.NDArray[Any], targets: npt.NDArray[Any], k: int) -> float:
    wrong = 0
    for row, labels in zip(scores.tolist(), targets.tolist(), strict=True):
        guesses = sorted(range(len(row)), key=lambda index: (-row[index], index))[:k]
        wrong += not any(labels[guess] for guess in guesses)
    return wrong / len(scores)


def slow_mean_average_precision(scores: npt.NDArray[Any], targets: npt.NDArray[Any]) -> float:
    """For every positive: of the images that score as high or higher, how many are positive?"""
    averages: list[float] = []
    for column, truth in zip(scores.T.tolist(), targets.T.tolist(), strict=True):
        precisions = []
        for score, positive in zip(column, truth, strict=True):
            if positive:
                as_high = [label for other, label in zip(column, truth, strict=True) if other >= score]
                precisions.append(sum(as_high) / len(as_high))
        if precisions:
            averages.append(sum(precisions) / len(precisions))
    return sum(averages) / len(averages)


@settings(max_examples=200, deadline=None)
@given(case=cases(), k=st.integers(1, 7))
def test_topk_error_is_its_definition(case: Case, k: int) -> None:
    assert topk_error(*case, k=k) == pytest.approx(slow_topk_error(*case, k))


@settings(max_examples=200, deadline=None)
@given(case=cases())
def test_mean_average_precision_is_its_definition(case: Case) -> None:
    assert mean_average_precision(*case) == pytest.approx(slow_mean_average_precision(*case))


@settings(max_examples=50, deadline=None)
@given(case=cases(), seed=st.integers(0, 1000))
def test_the_order_of_the_images_does_not_matter(case: Case, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(case[0]))
    scores, targets = case
    assert topk_error(scores[order], targets[order]) == topk_error(scores, targets)
    shuffled = mean_average_precision(scores[order], targets[order])
    assert shuffled == pytest.approx(mean_average_precision(scores, targets))


def test_topk_error_by_hand() -> None:
    scores = [[0.1, 0.7, 0.2], [0.5, 0.5, 0.1], [0.3, 0.2, 0.1], [0.0, 0.1, 0.2]]
    targets = [[0, 0, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0]]
    assert topk_error(scores, targets) == 0.75  # of equal scores the first wins
    assert topk_error(scores, targets, k=2) == 0.25
    assert topk_error(scores, targets, k=3) == topk_error(scores, targets, k=9) == 0


def test_mean_average_precision_by_hand() -> None:
    # Class 0: positives at ranks 1 and 3: (1 + 2/3) / 2. Class 1: at rank 2: 1/2. Class 2 has none.
    scores = [[4, 3, 0], [3, 4, 1], [2, 1, 2], [1, 2, 3]]
    targets = [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert mean_average_precision(scores, targets) == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)


def test_a_network_that_says_nothing_is_as_precise_as_its_labels_are_frequent() -> None:
    """Not 1, although the positives come first: all images have one rank."""
    assert mean_average_precision(np.zeros((4, 1)), [[1], [0], [0], [0]]) == 0.25


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16])
def test_scores_of_any_number_format(dtype: type[np.generic]) -> None:
    scores = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert topk_error(scores, [[0, 1], [1, 0]]) == 0
    assert topk_error(scores, [[0, 1], [1, 0]], k=2) == 0
    assert mean_average_precision(scores, [[0, 1], [1, 0]]) == 1


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (np.zeros((2, 3)), np.zeros((2, 4))),
        (np.zeros((2, 3)), np.zeros((1, 3))),
        (np.zeros(3), np.zeros(3)),
        (np.zeros((2, 0)), np.zeros((2, 0))),
    ],
)
def test_shapes_that_do_not_fit_are_refused(scores: npt.ArrayLike, targets: npt.ArrayLike) -> None:
    for figure in (topk_error, mean_average_precision):
        with pytest.raises(ValueError, match="one shape"):
            figure(scores, targets)
    for multi_label in (True, False):
        with pytest.raises(ValueError, match="one shape"):
            ClassificationError(multi_label=multi_label).update(scores, targets)


def test_no_guess_and_no_positive_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        topk_error([[1.0]], [[1]], k=0)
    with pytest.raises(ValueError, match="no class has a positive image"):
        mean_average_precision([[1.0]], [[0]])


@settings(max_examples=50, deadline=None)
@given(case=cases(), multi_label=st.booleans(), parts=st.integers(1, 4))
def test_the_error_of_batches_is_that_of_the_whole(case: Case, multi_label: bool, parts: int) -> None:
    scores, targets = case
    error = ClassificationError(multi_label=multi_label)
    for start in range(0, len(scores), parts):
        error.update(scores[start : start + parts], targets[start : start + parts])
    expected = 1 - mean_average_precision(*case) if multi_label else topk_error(*case)
    assert error.value() == expected


@pytest.mark.parametrize("multi_label", [True, False])
def test_the_error_of_nothing_is_refused(multi_label: bool) -> None:
    with pytest.raises(ValueError, match="no images"):
        ClassificationError(multi_label=multi_label).value()
