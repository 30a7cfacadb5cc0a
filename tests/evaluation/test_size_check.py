from __future__ import annotations

import pytest

from tests.evaluation.test_scores import CLASSES, sample
from wsloc.errors import DataError
from wsloc.evaluation.run_keys import RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.size_check import SizeCheck


def test_one_size_that_differs_is_a_failure_and_all_of_them_are_an_error() -> None:
    run = RunKey("cam", None)
    scores = Scores([(name, sample(name, "dog")) for name in "abc"], CLASSES, [run])
    sizes = SizeCheck(scores)
    sizes.require_any()
    assert not sizes.fits(0, (20, 41))
    assert not sizes.fits(1, (20, 41))
    with pytest.raises(
        DataError, match=r"a: the picture is 41 x 20 .* says 40 x 20: .* \(and so are all 2\)"
    ):
        sizes.require_any()
    assert sizes.fits(2, (20, 40))
    sizes.require_any()
    assert [failure.image for failure in scores.failures] == ["a", "b"]


def test_what_contradicts_a_size_can_be_told_before_it_fails() -> None:
    """For a caller whose scores another thread fills: `error` leaves all but the size alone."""
    scores = Scores([(name, sample(name, "dog", None)) for name in "ab"], CLASSES, [RunKey("cam", None)])
    scores.samples[0] = sample("a", "dog")
    sizes = SizeCheck(scores)
    error = sizes.error(0, (20, 41))
    assert error is not None
    assert error.startswith("a: the picture is 41 x 20 pixels")
    assert scores.failures == []
    assert sizes.error(1, (5, 6)) is None
    assert scores.size(1) == (5, 6)
    sizes.require_any()
