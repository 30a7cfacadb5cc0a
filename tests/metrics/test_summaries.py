from __future__ import annotations

import numpy as np
import pytest

from wsloc.metrics.summaries import bootstrap_interval, figure, grouped_means, iou_histogram


def test_the_interval_is_that_of_plain_resampling() -> None:
    generator = np.random.default_rng(1)
    for values in (generator.random(300) < 0.3, generator.integers(-1, 2, 300), generator.random(200)):
        numbers = values.astype(np.float64)
        draws = generator.integers(0, len(numbers), (2000, len(numbers)))
        expected = np.quantile(numbers[draws].mean(axis=1), [0.025, 0.975])
        assert bootstrap_interval(numbers, resamples=2000) == pytest.approx(
            expected, abs=0.15 * np.ptp(expected)
        )


def test_the_interval_is_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(0).random(60)
    interval = bootstrap_interval(values, resamples=1000)
    assert bootstrap_interval(values, resamples=1000) == interval
    assert bootstrap_interval(values, resamples=1000, random_seed=1) != interval
    assert np.ptp(bootstrap_interval(values, resamples=1000, confidence=0.5)) < np.ptp(interval)


def test_drawing_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(50)
    whole = bootstrap_interval(values, resamples=1000)
    monkeypatch.setattr("wsloc.metrics.summaries._CHUNK", 50 * 300)
    assert bootstrap_interval(values, resamples=1000) == whole


def test_a_figure_is_a_mean_and_its_interval() -> None:
    result = figure([1, 0, 0, 1] * 100)
    assert (result.value, result.images) == (0.5, 400)
    assert 0.44 < result.lower < 0.46
    assert 0.54 < result.upper < 0.56
    certain = figure(np.ones(5, np.bool_))
    assert (certain.value, certain.lower, certain.upper) == (1, 1, 1)
    with pytest.raises(ValueError, match="no images"):
        figure([])


def test_means_by_group() -> None:
    grouped = grouped_means([1, 0, 1, 1, 5], [2, 0, 2, 0, -1], 4)
    assert grouped.images.tolist() == [2, 0, 2, 0]
    np.testing.assert_array_equal(grouped.means, [0.5, np.nan, 1, np.nan])


def test_a_half_opens_a_bin_of_the_iou_histogram() -> None:
    histogram = iou_histogram([0, 0.4999, 0.5, 0.7, 1, 1])
    assert histogram.edges[10] == 0.5
    assert histogram.counts.sum() == 6
    assert histogram.counts[[0, 9, 10, 14, 19]].tolist() == [1, 1, 1, 1, 2]
