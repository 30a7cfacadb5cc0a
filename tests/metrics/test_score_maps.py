from __future__ import annotations

import numpy as np
import pytest

from wsloc.errors import MapError, UsageError
from wsloc.metrics.score_maps import (
    finite_map,
    map_in_image,
    map_thresholds,
    normalized_map,
    resized_map,
    score_map,
)


def test_thresholds_are_numpys_range() -> None:
    np.testing.assert_array_equal(map_thresholds(), np.arange(0, 1, 0.001))
    assert map_thresholds(0.25).tolist() == [0, 0.25, 0.5, 0.75]
    for step in (0, -0.1, 1e-9, 1.5, float("nan")):
        with pytest.raises(UsageError, match="threshold step"):
            map_thresholds(step)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8, np.bool_])
def test_values_are_taken_as_they_are(dtype: type[np.generic]) -> None:
    values = np.eye(224).astype(dtype)
    scored = score_map(values)
    assert scored.dtype == np.float64
    np.testing.assert_array_equal(scored, np.eye(224))
    assert score_map(np.eye(7), side=None).shape == (7, 7)


def test_a_png_of_256_grey_values_keeps_them() -> None:
    grey = np.arange(256)
    assert ((grey / 255 * 255).astype(np.uint8) == grey).all()


def test_infinite_values_and_empty_maps_are_refused() -> None:
    with pytest.raises(MapError, match="infinite"):
        finite_map([[0.0, np.inf]])
    with pytest.raises(MapError, match="shape"):
        finite_map(np.zeros((0, 3)))
    with pytest.raises(MapError, match="outside"):
        score_map(np.full((224, 224), 1 + 1e-9))


def test_enlarging_is_bilinear_about_pixel_centres() -> None:
    resized = resized_map([[0.0, 1.0]], 4)
    np.testing.assert_allclose(resized, np.tile([0, 0.25, 0.75, 1], (4, 1)))


def test_shrinking_averages_areas() -> None:
    values = np.zeros((448, 448))
    values[::2, ::2] = 1
    np.testing.assert_allclose(resized_map(values), np.full((224, 224), 0.25))


def test_resizing_stays_within_the_values() -> None:
    generator = np.random.default_rng(0)
    for shape in ((7, 7), (14, 9), (300, 500), (100, 500), (224, 224)):
        values = generator.random(shape).astype(np.float32)
        resized = resized_map(values)
        assert resized.shape == (224, 224)
        assert values.min() <= resized.min() <= resized.max() <= values.max()
    np.testing.assert_array_equal(resized_map(values), values)


def test_normalizing_spans_zero_to_one() -> None:
    np.testing.assert_allclose(normalized_map([[-2.0, 0.0], [6.0, 2.0]]), [[0, 0.25], [1, 0.5]])
    assert not normalized_map(np.full((3, 3), 0.7)).any()
    with pytest.raises(MapError, match="NaN"):
        normalized_map([[np.nan]])
    values = np.array([[1.0, 2.0]])
    normalized_map(values)
    assert values.tolist() == [[1, 2]]


def test_a_map_in_its_images_size_keeps_its_range() -> None:
    values = np.random.default_rng(1).random((5, 7)).astype(np.float32)
    found = map_in_image(values, (40, 33))
    assert found.shape == (40, 33)
    assert found.dtype == np.float32
    assert values.min() <= found.min() < found.max() <= values.max()
    np.testing.assert_array_equal(map_in_image(values, (5, 7)), values)
    # Pixel centres at half-integers: twice the size has quarters of the way, and the edges stand.
    np.testing.assert_allclose(map_in_image([[0.0, 1.0]], (1, 4)), [[0, 0.25, 0.75, 1]])
    with pytest.raises(MapError, match="infinite"):
        map_in_image([[np.nan]], (2, 2))
