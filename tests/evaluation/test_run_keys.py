from __future__ import annotations

import numpy as np

from wsloc.evaluation.run_keys import MASK_THRESHOLD, BoxRule, RunKey, mask_threshold


def test_a_box_covers_the_image_that_its_map_covers() -> None:
    cells = np.zeros((10, 10), np.float32)
    cells[2:4, 5:10] = 1
    assert BoxRule("mass", 1.0).box(cells, (100, 50)) == (25.0, 20.0, 50.0, 40.0)
    assert BoxRule("threshold", 0.2).box(cells, (100, 50)) == (25.0, 20.0, 50.0, 40.0)
    assert BoxRule("mass", 0.98).label == "mass 0.98"


def test_a_rule_takes_its_box_from_what_rises_above_a_share() -> None:
    cells = np.array([[1, 1, 1, 1], [1, 3, 10, 2]], np.float32)
    assert BoxRule("excess", 0.2).label == "excess 0.2"
    assert BoxRule("excess", 0.2).box(cells, (2, 4)) == (1.0, 1.0, 3.0, 2.0)
    assert BoxRule("mass", 0.98).box(cells, (2, 4)) == (0.0, 0.0, 4.0, 2.0)


def test_a_run_is_called_by_its_map_and_its_rule() -> None:
    rule = BoxRule("threshold", 0.35)
    assert RunKey("cam", rule).label == "cam, threshold 0.35"
    assert RunKey("cam", rule, tuned=True).label == "cam, threshold 0.35, tuned"
    assert RunKey("guesses.csv", None).label == "guesses.csv"


def test_masks_are_taken_at_a_runs_own_threshold() -> None:
    assert mask_threshold(RunKey("cam", BoxRule("threshold", 0.35))) == 0.35
    for rule in (None, BoxRule("mass", 0.98), BoxRule("excess", 0.1)):
        assert mask_threshold(RunKey("cam", rule)) == MASK_THRESHOLD
