from __future__ import annotations

import numpy as np
import pytest

from wsloc.evaluation.figures import evaluation_run, run_figures
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.outputs.report_records import ChosenOn
from wsloc.records import Box, Classes, Sample

CLASSES = Classes(("cat", "dog"), ("cat", "dog"))
TRUE: Box = (0.0, 0.0, 10.0, 10.0)
NEAR: Box = (0.0, 0.0, 10.0, 8.0)  # IoU 0.8
FAR: Box = (10.0, 10.0, 20.0, 20.0)


def filled() -> tuple[Scores, RunKey]:
    """Four images: right; right class, wrong box; wrong class; without any box."""
    run = RunKey("cam", BoxRule("threshold", 0.2))
    boxes = ((("dog", TRUE),),) * 3 + ((),)
    pairs = [
        (name, Sample(name, None, labels=("dog",), image_size=(20, 20), boxes=box))
        for name, box in zip("abcd", boxes, strict=True)
    ]
    scores = Scores(pairs, CLASSES, [run], with_maps=False)
    for row, (labels, found, known) in enumerate(
        (
            ((1, 0), (NEAR, FAR), NEAR),
            ((1, 0), (FAR, FAR), FAR),
            ((0, 1), (NEAR, NEAR), NEAR),
            ((1, 0), (FAR, FAR), FAR),
        )
    ):
        scores.guesses[run].put(row, labels, found)
        scores.known[run][row] = known
    return scores, run


def test_errors_by_hand() -> None:
    scores, run = filled()
    report = evaluation_run(scores, run, run_figures(scores, run, frozenset()), ChosenOn.NOTHING)
    assert report.metrics["top1_classification_error"] == 1 / 4
    assert report.metrics["top1_localization_error"] == pytest.approx(2 / 3)
    assert report.metrics["gt_known_localization_error"] == pytest.approx(1 / 3)
    assert report.metrics["top5_localization_error"] == pytest.approx(1 / 3)
    assert report.metrics["mean_iou"] == pytest.approx(1.6 / 3)
    assert "max_box_acc" not in report.metrics
    assert report.iou_histogram is not None
    assert (report.iou_histogram[0], report.iou_histogram[16]) == (1, 2)
    assert [row.class_id for row in report.per_class] == ["dog"]
    assert report.per_class[0].metrics["gt_known_localization_error"] == pytest.approx(1 / 3)
    assert [bin_.images for bin_ in report.size_bins] == [3]
    assert {case.kind for case in report.cases} == {"best", "median", "worst"}
    lower, upper = report.intervals["top1_classification_error"]
    assert 0 <= lower <= 1 / 4 <= upper <= 1


def test_a_blacklisted_image_is_classified_but_not_located() -> None:
    scores, run = filled()
    figures = run_figures(scores, run, frozenset({"b"}))
    report = evaluation_run(scores, run, figures, ChosenOn.NOTHING)
    assert report.metrics["top1_classification_error"] == 1 / 4
    assert report.metrics["gt_known_localization_error"] == 0


def test_no_known_box_no_figure() -> None:
    scores, run = filled()
    scores.known[run][2] = np.nan
    report = evaluation_run(scores, run, run_figures(scores, run, frozenset()), ChosenOn.NOTHING)
    assert "gt_known_localization_error" not in report.metrics
    assert report.cases == ()
