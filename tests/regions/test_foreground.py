from __future__ import annotations

import numpy as np
import pytest

from wsloc.regions.foreground import above, above_mean, largest

MAPS = np.array([[[0.0, 0.2, 0.6], [1.0, 0.2, 0.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])


def test_above() -> None:
    assert above(MAPS, 0.2).tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]]


@pytest.mark.parametrize(
    ("share", "first"),
    [(0, []), (0.2, [1.0]), (0.3, [1.0, 0.6]), (0.5, [1.0, 0.6, 0.2, 0.2]), (1, [1.0, 0.6, 0.2, 0.2])],
)
def test_the_largest_share(share: float, first: list[float]) -> None:
    """Equal ones at the edge come along; zero ones never do."""
    claims = largest(MAPS, share)
    assert sorted(MAPS[0][claims[0]], reverse=True) == first
    assert claims[1].sum() == (share > 0)


def test_the_largest_share_is_exact_where_values_differ() -> None:
    maps = np.random.default_rng(0).permutation(10_000).reshape(1, 100, 100) + 1.0
    assert largest(maps, 0.3).sum() == 3000
    assert maps[largest(maps, 0.3)].min() == 7001


def test_the_mean_is_each_maps_own_and_scale_does_not_matter() -> None:
    """Means 1/3 and 1/6."""
    expected = [[[0, 0, 1], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]]
    assert above_mean(MAPS).tolist() == above_mean(MAPS * 7).tolist() == expected
    assert not above_mean(np.ones((1, 4, 4), np.float32)).any()
