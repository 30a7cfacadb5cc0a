from __future__ import annotations

import pickle

import numpy as np
import numpy.typing as npt
import pytest

from tests.reference import segmentation_literal
from wsloc.errors import DataError
from wsloc.metrics.segmentation import ConfusionMatrix, mean_percent

CLASSES = 4


def examples() -> tuple[list[npt.NDArray[np.uint8]], list[npt.NDArray[np.uint8]]]:
    """True and predicted masks of several sizes with void and ignore; class 4 is in neither, 3 is never true."""
    generator = np.random.default_rng(3)
    truths, masks = [], []
    for size in ((9, 13), (8, 8), (1, 20)):
        truth = generator.choice([0, 1, 2, 255], size, p=[0.5, 0.2, 0.2, 0.1]).astype(np.uint8)
        noise = generator.choice([0, 1, 2, 3, 255], size).astype(np.uint8)
        truths.append(truth)
        masks.append(np.where((generator.random(size) < 0.5) & (truth != 255), truth, noise))
    return truths, masks


def filled() -> ConfusionMatrix:
    matrix = ConfusionMatrix(CLASSES)
    for truth, mask in zip(*examples(), strict=True):
        matrix.update(truth, mask)
    return matrix


def test_figures_are_the_literal_ones() -> None:
    truths, masks = examples()
    found = filled().figures()
    for value, row in enumerate(segmentation_literal.figures(truths, masks, CLASSES)):
        for key in ("iou", "precision", "recall"):
            assert getattr(found, key)[value] == pytest.approx(row.get(key, np.nan), nan_ok=True)
    assert found.miou() == pytest.approx(segmentation_literal.miou(truths, masks, CLASSES))


def test_what_is_ignored_is_a_miss_or_left_out() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 0, 0, 255]], np.uint8)
    mask = np.array([[1, 1, 255, 0, 0, 1, 255, 255]], np.uint8)
    matrix = ConfusionMatrix(1)
    matrix.update(truth, mask)
    assert matrix.figures().iou.tolist() == [1 / 4, 2 / 5]
    assert matrix.figures().recall.tolist() == [1 / 3, 2 / 4]
    assert matrix.labelled_figures().iou.tolist() == [1 / 3, 2 / 4]
    assert (
        matrix.figures().precision.tolist() == matrix.labelled_figures().precision.tolist() == [1 / 2, 2 / 3]
    )
    assert matrix.coverage() == pytest.approx(100 * 5 / 7)


def test_labelled_figures_are_those_of_a_truth_that_is_void_where_the_prediction_ignores() -> None:
    truths, masks = examples()
    altered = [np.where(mask == 255, 255, truth) for truth, mask in zip(truths, masks, strict=True)]
    expected = segmentation_literal.miou(altered, masks, CLASSES)
    assert filled().labelled_figures().miou() == pytest.approx(expected)
    assert expected != pytest.approx(segmentation_literal.miou(truths, masks, CLASSES))


def test_a_class_without_pixels_is_absent_and_one_that_is_only_claimed_is_zero() -> None:
    iou = filled().figures().iou
    assert np.isnan(iou[4])
    assert iou[3] == 0
    assert np.isnan(filled().figures().recall[3])
    with pytest.raises(ValueError, match="no pixels"):
        ConfusionMatrix(2).figures().miou()
    with pytest.raises(ValueError, match="no pixels"):
        ConfusionMatrix(2).coverage()
    assert mean_percent(np.array([0.25, np.nan, 0.75])) == 50


def test_a_failed_image_is_ignored_all_over() -> None:
    matrix = ConfusionMatrix(1)
    matrix.update_failed(np.array([[0, 1, 1, 255]]))
    assert matrix.counts().tolist() == [[0, 0, 1], [0, 0, 2]]
    assert (matrix.coverage(), matrix.failed, matrix.images) == (0, 1, 1)


def test_parts_add_up_to_the_whole() -> None:
    truths, masks = examples()
    whole, parts = filled(), [ConfusionMatrix(CLASSES) for _ in truths]
    for part, truth, mask in zip(parts, truths, masks, strict=True):
        own = part.update(truth, mask)
        assert (own == part.counts()).all()
    first = pickle.loads(pickle.dumps(parts[0]))  # noqa: S301 - our own
    for part in parts[1:]:
        first.merge(part)
    assert (first.counts() == whole.counts()).all()
    assert first.images == 3
    with pytest.raises(ValueError, match="same classes"):
        first.merge(ConfusionMatrix(CLASSES + 1))


@pytest.mark.parametrize(
    ("truth", "mask", "words"),
    [
        ([[0, 1]], [[0, 1, 1]], "a.png: 3 x 1 pixels, and its true mask has 2 x 1"),
        ([[0, 1]], [[0, 5]], "a.png: the value 5 is neither one of the 4 classes nor 255"),
        ([[0, 9]], [[0, 1]], "a.png: the truth: the value 9 "),
        ([[0, -1]], [[0, 1]], "the value -1"),
        ([[0.0, 1.0]], [[0, 1]], "integers"),
        ([0, 1], [0, 1], "of integers"),
    ],
)
def test_bad_masks_are_refused_and_not_counted(truth: object, mask: object, words: str) -> None:
    matrix = ConfusionMatrix(CLASSES)
    with pytest.raises(DataError, match=words):
        matrix.update(truth, mask, "a.png")  # type: ignore[arg-type]  # what is no mask, too
    assert matrix.images == matrix.counts().sum() == 0


@pytest.mark.parametrize("classes", [0, 255])
def test_classes_fit_into_bytes(classes: int) -> None:
    with pytest.raises(DataError, match="1 to 254"):
        ConfusionMatrix(classes)


def test_as_many_classes_as_bytes_hold() -> None:
    matrix = ConfusionMatrix(254)
    matrix.update(np.array([[254, 255]], np.uint8), np.array([[254, 0]], np.uint8))
    assert matrix.counts()[254, 254] == matrix.counts().sum() == 1
