from __future__ import annotations

import pickle

import numpy as np
import numpy.typing as npt
import pytest

from tests.reference import segmentation_literal
from wsloc.errors import DataError, MapError, UsageError
from wsloc.metrics.mask_sweep import MaskSweep
from wsloc.metrics.segmentation import ConfusionMatrix

CLASSES, STEP = 4, 0.1
NUMBERS = ((2, 1), (1,), (3, 1, 2))
Example = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], tuple[int, ...]]


def examples() -> list[Example]:
    """Truths with void and scores with ties, exact thresholds, zeros and ones."""
    generator = np.random.default_rng(8)
    found: list[Example] = []
    for numbers in NUMBERS:
        truth = generator.choice([0, 1, 2, 255], (12, 15), p=[0.5, 0.2, 0.2, 0.1]).astype(np.uint8)
        maps = generator.random((len(numbers), 12, 15))
        own = np.array([(truth == number) for number in numbers])
        maps = np.clip(maps * 0.7 + own * 0.4 * generator.random(own.shape), 0, 1)
        maps = np.where(generator.random(maps.shape) < 0.4, np.round(maps, 1), maps)
        found.append((truth, maps.astype(np.float32), numbers))
    return found


def filled(**options: object) -> MaskSweep:
    sweep = MaskSweep(CLASSES, STEP, **options)  # type: ignore[arg-type]  # the tests' own
    for truth, maps, numbers in examples():
        sweep.update(truth, maps, numbers)
    return sweep


def test_the_whole_curve_is_the_literal_one() -> None:
    sweep = filled(also=[0.35, 0.3, 1.0])
    assert sweep.thresholds.tolist() == [0, 0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    truths = [truth for truth, _, _ in examples()]
    curve = sweep.curve()
    for place, threshold in enumerate(sweep.thresholds.tolist()):
        masks = [
            segmentation_literal.label_map(maps.astype(np.float64), numbers, threshold)
            for _, maps, numbers in examples()
        ]
        assert curve[place] == pytest.approx(segmentation_literal.miou(truths, masks, CLASSES))
        found = sweep.figures_at(threshold)
        for value, row in enumerate(segmentation_literal.figures(truths, masks, CLASSES)):
            for key in ("iou", "precision", "recall"):
                assert getattr(found, key)[value] == pytest.approx(row.get(key, np.nan), nan_ok=True)
    assert len(set(curve.tolist())) > 8


def test_at_one_threshold_it_is_a_confusion_matrix() -> None:
    matrix = ConfusionMatrix(CLASSES)
    for truth, maps, numbers in examples():
        padded = np.concatenate([np.full((1, *truth.shape), 0.5, np.float32), maps])
        matrix.update(truth, np.array([0, *numbers])[padded.argmax(axis=0)])
    found, expected = filled().figures_at(0.5), matrix.figures()
    for key in ("truth", "claimed", "hits"):
        assert (getattr(found, key) == getattr(expected, key)).all()


def test_the_best_threshold_is_the_lowest_of_the_best() -> None:
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    sweep = MaskSweep(1, 0.1)
    sweep.update(truth, [[[0.1, 0.2, 0.6, 0.9]]], [1])
    assert sweep.best() == (100, 0.2)
    assert sweep.curve()[0] == 25  # above 0 everything is claimed: IoU 0 and 1/2


def test_a_failed_image_is_background() -> None:
    truth, maps, numbers = examples()[0]
    failed, zeros = MaskSweep(CLASSES, STEP), MaskSweep(CLASSES, STEP)
    failed.update_failed(truth)
    zeros.update(truth, np.zeros_like(maps), numbers)
    assert (failed.curve() == zeros.curve()).all()
    assert (failed.images, failed.failed) == (1, 1)


def test_parts_add_up_to_the_whole() -> None:
    whole, first = filled(), MaskSweep(CLASSES, STEP)
    for truth, maps, numbers in examples():
        part = MaskSweep(CLASSES, STEP)
        part.update(truth, maps, numbers)
        first.merge(pickle.loads(pickle.dumps(part)))  # noqa: S301 - our own
    assert (first.curve() == whole.curve()).all()
    assert first.images == whole.images == 3
    with pytest.raises(ValueError, match="same classes and thresholds"):
        first.merge(MaskSweep(CLASSES, 0.2))


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_maps_outside_their_range_are_refused(value: float) -> None:
    truth, maps, numbers = examples()[0]
    maps[0, 3, 3] = value
    with pytest.raises(MapError, match=r"a.jpg: its maps hold NaN or values outside \[0, 1\]"):
        MaskSweep(CLASSES).update(truth, maps, numbers, "a.jpg")


def test_what_does_not_go_together_is_refused_and_not_counted() -> None:
    truth, maps, numbers = examples()[0]
    sweep = MaskSweep(CLASSES, STEP)
    with pytest.raises(MapError, match=r"do not fit 2 classes and a mask of 15 x 12 pixels"):
        sweep.update(truth, maps[:, :, :-1], numbers)
    with pytest.raises(MapError, match="do not fit 1 classes"):
        sweep.update(truth, maps, numbers[:1])
    with pytest.raises(DataError, match="holds 0 to 4 and 255"):
        sweep.update(np.full_like(truth, 9), maps, numbers)
    with pytest.raises(ValueError, match="no pixels"):
        sweep.curve()
    with pytest.raises(DataError, match="1 to 254"):
        MaskSweep(255)
    with pytest.raises(UsageError):
        MaskSweep(1, 0)
