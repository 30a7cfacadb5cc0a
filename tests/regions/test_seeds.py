"""Label maps, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wsloc.errors import MapError
from wsloc.regions.seeds import stochastic_seeds

MAXIMUM = np.array([[[0.9, 0.36, 0.35, 0.0]], [[0.8, 0.2, 0.35, 0.4]]])
MEAN = np.array([[[0.2, 0.1, 0.3, 0.9]], [[0.3, 0.9, 0.3, 0.0]]])


def test_any_draw_above_theta_claims_and_the_mean_settles() -> None:
    # Both claim, the mean is for 12; only 8 claims, whatever the means; nobody exceeds theta; only 12, mean 0.
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12]).tolist() == [[12, 8, 255, 12]]
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12]).dtype == np.uint8


def test_theta() -> None:
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=0.3).tolist() == [[12, 8, 8, 12]]  # equal means
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=0.85).tolist() == [[8, 255, 255, 255]]
    assert (stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=1) == 255).all()


def test_without_classes_or_signal_all_is_ignored() -> None:
    assert (stochastic_seeds(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), []) == np.full((2, 3), 255)).all()
    assert (stochastic_seeds(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), [4], theta=0) == 255).all()


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(MapError, match="do not go together"):
        stochastic_seeds(MAXIMUM, MEAN, [8])
    with pytest.raises(MapError, match="do not go together"):
        stochastic_seeds(MAXIMUM, MEAN[:, :, :2], [8, 12])
    with pytest.raises(MapError, match="NaN"):
        stochastic_seeds(MAXIMUM, MEAN * np.nan, [8, 12])
    for label in (-1, 255):
        with pytest.raises(MapError, match="labels are in 0-254"):
            stochastic_seeds(MAXIMUM, MEAN, [8, label])
