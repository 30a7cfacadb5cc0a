from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.reference import wsol_literal
from wsloc.errors import DataError, MapError
from wsloc.metrics.pixel_average_precision import PixelAveragePrecision, protocol_mask

if TYPE_CHECKING:
    import numpy.typing as npt

SIDE = 224


def example(seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """A map with ties at thresholds, 0 and 1, and a mask of all three kinds of pixels."""
    generator = np.random.default_rng(seed)
    noise = generator.random((SIDE, SIDE))
    smooth = np.asarray(cv2.GaussianBlur(noise, (0, 0), 9), np.float64)
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    values = np.where(noise < 0.3, np.round(smooth, 2), smooth)
    mask = np.where(smooth + generator.normal(0, 0.2, smooth.shape) > 0.6, 1, 0).astype(np.uint8)
    mask[50:90, 60:100] = 255
    return values, mask


@pytest.mark.parametrize("step", [0.01, 0.07, 0.3])
def test_it_is_the_literal_protocols(step: float) -> None:
    examples = [example(seed) for seed in range(3)]
    precision = PixelAveragePrecision(step)
    for values, mask in examples:
        precision.update(values, mask)
    maps, masks = zip(*examples, strict=True)
    expected = wsol_literal.pixel_average_precision(maps, masks, np.arange(0, 1, step).tolist())
    assert precision.value() == pytest.approx(expected, rel=1e-12)
    assert 20 < expected < 95


def test_perfect_and_useless_maps() -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:56] = 1
    perfect, useless = PixelAveragePrecision(), PixelAveragePrecision()
    perfect.update(mask, mask)
    useless.update(np.zeros((SIDE, SIDE)), mask)
    assert perfect.value() == 100
    assert useless.value() == 25  # everything is found at the threshold 0, with the precision of chance
    failed = PixelAveragePrecision()
    failed.update_failed(mask)
    assert (failed.value(), failed.failed, failed.images) == (25, 1, 1)


def test_ignored_pixels_do_not_count() -> None:
    values, mask = example(3)
    altered = values.copy()
    altered[mask == 255] = 1 - values[mask == 255]
    one, other = PixelAveragePrecision(), PixelAveragePrecision()
    one.update(values, mask)
    other.update(altered, mask)
    assert (altered != values).any()
    assert one.value() == other.value()


def test_the_curve_falls_in_recall_and_ends_at_one() -> None:
    precision = PixelAveragePrecision(0.1)
    precision.update(*example(1))
    curve = precision.curve()
    assert curve.thresholds.tolist() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert curve.recall[0] == 1
    assert (np.diff(curve.recall) <= 0).all()
    values, mask = example(1)
    reached = (values >= 0.5) & (mask != 255)
    assert curve.precision[5] == pytest.approx((mask[reached] == 1).mean())


def test_parts_can_be_pickled_and_merged() -> None:
    whole, first, second = PixelAveragePrecision(), PixelAveragePrecision(), PixelAveragePrecision()
    for seed in range(4):
        part = first if seed < 2 else second
        whole.update(*example(seed))
        part.update(*example(seed))
    first.merge(pickle.loads(pickle.dumps(second)))  # noqa: S301 - of this test
    assert (first.value(), first.images) == (whole.value(), 4)
    with pytest.raises(ValueError, match="same map thresholds"):
        first.merge(PixelAveragePrecision(0.1))


def test_masks_are_joined_and_an_object_goes_before_ignore() -> None:
    one, other, ignore = (np.zeros((448, 448), np.uint8) for _ in range(3))
    one[:100], other[348:], ignore[60:200] = 255, 255, 255
    mask = protocol_mask([one, other.astype(bool)], ignore)
    assert mask.dtype == np.uint8
    rows = [int(row[0]) for row in mask]
    assert rows == [1] * 50 + [255] * 50 + [0] * 74 + [1] * 50
    assert set(np.unique(protocol_mask([one])).tolist()) == {0, 1}


def test_masks_are_resized_to_the_nearest_pixel() -> None:
    generator = np.random.default_rng(0)
    mask = generator.integers(0, 2, (335, 500)).astype(np.float32)
    expected = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    np.testing.assert_array_equal(protocol_mask([mask]), expected)


def test_what_cannot_be_scored_is_named() -> None:
    precision = PixelAveragePrecision()
    values, mask = example(0)
    with pytest.raises(MapError, match=r"a\.jpg: .*NaN"):
        precision.update(np.full((SIDE, SIDE), np.nan), mask, "a.jpg")
    with pytest.raises(DataError, match=r"a\.jpg: the mask is of shape \(10, 10\)"):
        precision.update(values, np.zeros((10, 10)), "a.jpg")
    with pytest.raises(DataError, match="no object mask"):
        protocol_mask([])
    with pytest.raises(DataError, match="two dimensions"):
        protocol_mask([np.zeros((3, 3, 3))])
    precision.update(values, np.zeros_like(mask))
    with pytest.raises(DataError, match="no object's pixel"):
        precision.value()
