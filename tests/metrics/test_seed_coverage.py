from __future__ import annotations

import pytest

from wsloc.metrics.seed_coverage import Coverage, SeedCoverage


def test_counted_by_hand() -> None:
    coverage = SeedCoverage([1, 2, 5])
    coverage.add([(1, 30), (5, 0)], background=60, ignore=10)
    coverage.add([(1, 10)], background=0, ignore=390)
    coverage.add([(5, 60)], background=40, ignore=0)
    found = coverage.result()
    assert (found.images, found.pixels) == (3, 600)
    assert (found.foreground, found.background, found.ignore) == (100 / 600, 100 / 600, 400 / 600)
    one, five = found.classes
    assert (one.value, one.images, one.without_pixels, one.pixels, one.share) == (1, 2, 0, 40, 0.4)
    assert one.mean_area == pytest.approx((0.3 + 0.025) / 2)
    assert (five.value, five.images, five.without_pixels, five.pixels, five.share) == (5, 2, 1, 60, 0.6)
    assert five.mean_area == pytest.approx((0 + 0.6) / 2)


def test_nothing_at_all() -> None:
    assert SeedCoverage([1]).result() == Coverage(0, 0, 0, 0, 0, ())
    coverage = SeedCoverage([1])
    coverage.add([(1, 0)], 0, 9)
    assert coverage.result().classes[0].share == 0
