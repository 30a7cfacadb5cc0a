"""Label maps, counted by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

import wsloc
from wsloc.errors import MapError, UsageError
from wsloc.regions.seed_rules import SeedRule
from wsloc.regions.seeds import make_seeds, normalized, settled_rules, stochastic_seeds

MAXIMUM = np.array([[[0.9, 0.36, 0.35, 0.0]], [[0.8, 0.2, 0.35, 0.4]]])
MEAN = np.array([[[0.2, 0.1, 0.3, 0.9]], [[0.3, 0.9, 0.3, 0.0]]])
# Maxima 2 and 10: divided, 1.0 0.5 0.2 0.1 0.0 and 0.0 1.0 0.1 0.3 0.1.
MAPS = np.array([[[2.0, 1.0, 0.4, 0.2, 0.0]], [[0.0, 10.0, 1.0, 3.0, 1.0]]], np.float32)


def seeds(foreground: str, background: str, saliency: npt.NDArray[np.float64] | None = None) -> list[int]:
    found = make_seeds(MAPS, [3, 7], foreground=foreground, background=background, saliency=saliency)
    return [int(value) for value in found[0]]


def test_the_highest_of_those_that_claim_has_the_pixel() -> None:
    assert seeds("max:0.2", "none") == [3, 7, 255, 7, 255]  # 0.2 itself is not above
    assert seeds("max:0.05", "none") == [3, 7, 3, 7, 7]
    assert seeds("max:0.6", "none") == [3, 7, 255, 255, 255]


def test_a_class_that_does_not_claim_does_not_rank() -> None:
    """The first map is the higher one at the second pixel, but its share of pixels is used up."""
    maps = np.array([[[1.0, 0.9, 0.0, 0.0]], [[0.0, 0.5, 1.0, 0.0]]])
    assert make_seeds(maps, [1, 2], foreground="pixels:0.25", background="none").tolist() == [
        [1, 255, 2, 255]
    ]
    assert make_seeds(maps, [1, 2], foreground="pixels:0.5", background="none").tolist() == [[1, 1, 2, 255]]


def test_equal_maps_go_to_the_first_class() -> None:
    assert make_seeds(np.ones((2, 1, 1)), [9, 4]).tolist() == [[9]]


def test_a_constant_background_score() -> None:
    assert seeds("max:0.2", "constant:0.2") == [3, 7, 0, 7, 0]
    assert seeds("max:0.2", "constant:0.1") == [3, 7, 255, 7, 0]  # between both: nobody claims it
    assert seeds("max:0.2", "constant:0.4") == [3, 7, 0, 255, 0]  # both claim the fourth


def test_confidence_is_a_bar_for_both() -> None:
    assert seeds("max:0.05", "confidence:0.25,0.15") == [3, 7, 255, 7, 0]
    assert seeds("max:0.6", "confidence:0.25,0.15") == [3, 7, 255, 255, 0]  # the foreground rule holds, too


def test_saliency_contradicts() -> None:
    salient = np.array([[0.5, 0.05, 0.05, 0.06, 0.059]])
    assert seeds("max:0.2", "saliency:0.06", saliency=salient) == [3, 255, 0, 7, 0]
    assert seeds("max:0.2", "saliency:somewhere:0.06", saliency=salient) == [3, 255, 0, 7, 0]
    with pytest.raises(MapError, match="takes a saliency map"):
        seeds("max:0.2", "saliency:0.06")
    with pytest.raises(MapError, match=r"a saliency map of \(5,\) and maps of \(1, 5\) do not go together"):
        seeds("max:0.2", "saliency:0.06", saliency=salient[0])


def test_the_rest_may_be_background() -> None:
    assert seeds("max:0.2", "rest") == [3, 7, 0, 7, 0]


def test_what_is_left_out_has_its_default() -> None:
    assert make_seeds(MAPS, [3, 7]).tolist() == [[3, 7, 0, 7, 0]]
    assert [str(rule) for rule in settled_rules(None, None)] == ["max:0.2", "constant:0.2"]
    assert [str(rule) for rule in settled_rules(None, None, stochastic=True)] == [
        "stochastic:0.35",
        "constant:0.2",
    ]
    assert [str(rule) for rule in settled_rules("auto", None)] == ["auto", "rest"]
    assert [str(rule) for rule in settled_rules(None, "confidence:0.5,0.1")] == [
        "max:0.5",
        "confidence:0.5,0.1",
    ]
    assert [str(rule) for rule in settled_rules("pixels", "none")] == ["pixels:0.3", "none"]


def test_auto_is_each_maps_own_mean() -> None:
    """Means of the divided maps: 0.5 and 0.25."""
    maps = np.array([[[8, 3, 5, 0]], [[0, 0, 0, 2]]])
    assert make_seeds(maps, [3, 7], foreground="auto").tolist() == [[3, 0, 3, 7]]
    assert make_seeds(maps, [3, 7], foreground="max:0.25").tolist() == [[3, 3, 3, 7]]


def test_any_draw_above_theta_claims_and_the_mean_settles() -> None:
    # Both claim, the mean is for 12; only 8 claims, whatever the means; nobody exceeds theta; only 12, mean 0.
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12]).tolist() == [[12, 8, 255, 12]]
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12]).dtype == np.uint8


def test_theta() -> None:
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=0.3).tolist() == [[12, 8, 8, 12]]  # equal means
    assert stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=0.85).tolist() == [[8, 255, 255, 255]]
    assert (stochastic_seeds(MAXIMUM, MEAN, [8, 12], theta=1) == 255).all()


def test_stochastic_maps_are_not_divided_again() -> None:
    """Halved, the second class falls below theta everywhere but at the first pixel; so does its claim."""
    assert stochastic_seeds(MAXIMUM / 2, MEAN, [8, 12]).tolist() == [[12, 255, 255, 255]]
    with_background = make_seeds(MAXIMUM, [8, 12], mean=MEAN, background="constant:0.37")
    assert with_background.tolist() == [[12, 255, 0, 12]]


def test_without_classes_or_signal_no_class_is_found() -> None:
    empty = np.zeros((0, 2, 3))
    assert (stochastic_seeds(empty, empty, []) == np.full((2, 3), 255)).all()
    assert (stochastic_seeds(np.zeros((1, 2, 3)), np.zeros((1, 2, 3)), [4], theta=0) == 255).all()
    assert (make_seeds(empty, []) == np.zeros((2, 3))).all()
    for rule in ("max:0", "pixels:1", "auto"):
        assert (make_seeds(np.zeros((1, 2, 3)), [4], foreground=rule) == 0).all()


def test_negative_values_count_as_zero() -> None:
    assert make_seeds(np.array([[[-5, 4, 1]]]), [4]).tolist() == [[0, 4, 4]]
    assert normalized(np.array([[[-5.0, 4.0, 1.0]]])).tolist() == [[[0, 1, 0.25]]]
    assert normalized(np.array([[[-5.0, 0.0]]])).tolist() == [[[0, 0]]]


def test_arrays_are_not_changed() -> None:
    before = MAPS.copy()
    seeds("max:0.2", "confidence:0.25,0.15")
    assert (before == MAPS).all()


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(MapError, match="do not go together"):
        stochastic_seeds(MAXIMUM, MEAN, [8])
    with pytest.raises(MapError, match="do not go together"):
        stochastic_seeds(MAXIMUM, MEAN[:, :, :2], [8, 12])
    with pytest.raises(MapError, match="NaN"):
        stochastic_seeds(MAXIMUM, MEAN * np.nan, [8, 12])
    with pytest.raises(MapError, match="NaN or infinity"):
        make_seeds(MAPS + np.inf, [1, 2])
    with pytest.raises(MapError, match="takes the mean"):
        make_seeds(MAPS, [1, 2], foreground="stochastic:0.3")
    with pytest.raises(UsageError, match="unknown foreground rule 'min'"):
        make_seeds(MAPS, [1, 2], foreground="min")
    for label in (0, -1, 255):
        with pytest.raises(MapError, match="labels are in 1-254"):
            stochastic_seeds(MAXIMUM, MEAN, [8, label])


def test_it_is_a_public_name() -> None:
    assert wsloc.make_seeds is make_seeds
    assert make_seeds(MAPS, [1, 2], foreground=SeedRule("max", (0.2,))).dtype == np.uint8
