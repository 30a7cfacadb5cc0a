from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.evaluation.example_data_set import write_data_set, write_mask_set
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated, annotated_images
from wsloc.evaluation.live import score_images
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.tuning import GRIDS, known_error, tune
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load
from wsloc.outputs.report_records import ChosenOn

if TYPE_CHECKING:
    from pathlib import Path


def test_the_best_of_the_grid_scored_as_the_runs_are(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=6)
    localizer = load("demo", device="cpu")
    files = find_images([data / "images"])
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    asked = [RunKey("cam", BoxRule("threshold", 0.33)), RunKey("entropy-class", BoxRule("mass", 0.9))]
    tuned = tune(localizer, files, pairs, asked, threshold_step=0.1)
    assert [(run.map, run.tuned) for run in tuned.runs] == [("cam", True), ("entropy-class", True)]
    assert set(tuned.map_thresholds) == {"cam", "entropy-class"}
    for run, best in zip(asked, tuned.runs, strict=True):
        assert run.rule is not None
        grid = sorted({*GRIDS[run.rule.kind], run.rule.value})
        runs = [RunKey(run.map, BoxRule(run.rule.kind, value)) for value in grid]
        scores = Scores(pairs, localizer.classes, runs, threshold_step=0.1)  # guesses and all
        score_images(localizer, files, scores)
        errors = [known_error(scores, each) for each in runs]
        assert best.rule == runs[errors.index(min(errors))].rule


def test_a_picture_that_is_scored_too_is_no_other_set(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    localizer = load("demo", device="cpu")
    files = find_images([data / "images"])
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    runs = [RunKey("cam", BoxRule("mass", 0.9))]
    for scored, chosen_on in (((), ChosenOn.TUNING_SET), (files[1:2], ChosenOn.SCORED_SET)):
        tuned = tune(localizer, files, pairs, runs, scored=scored, threshold_step=0.5)
        assert tuned.chosen_on is chosen_on


def test_a_value_that_was_given_too_is_a_run_of_its_own() -> None:
    rule = BoxRule("threshold", 0.2)
    given, tuned = RunKey("cam", rule), RunKey("cam", rule, tuned=True)
    assert given != tuned
    assert (given.label, tuned.label) == ("cam, threshold 0.2", "cam, threshold 0.2, tuned")


def test_a_set_without_boxes_tunes_nothing(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=1)
    (data / "labels.csv").write_text("image,label\n0.png,fish\n")
    pairs = [(sample.image, sample) for sample in read_annotations(data / "labels.csv")]
    localizer = load("demo", device="cpu")
    with pytest.raises(DataError, match=r"no boxes, nor masks: .* --tune-on"):
        tune(localizer, [], pairs, [RunKey("cam", BoxRule("threshold", 0.2))], threshold_step=0.1)


def test_masks_tune_the_threshold_of_each_map(tmp_path: Path) -> None:
    data = write_mask_set(tmp_path / "truth", 3)
    localizer = load("demo", device="cpu")
    found = annotated_images(None, Annotated(data), localizer.classes)
    runs = [RunKey("cam", BoxRule("threshold", 0.2)), RunKey("entropy", BoxRule("mass", 0.9))]
    tuned = tune(localizer, found.files, found.matching.pairs, runs, threshold_step=0.1)
    scores = Scores(found.matching.pairs, localizer.classes, runs, threshold_step=0.1)
    score_images(localizer, found.files, scores)
    assert tuned.mask_thresholds == {"cam": scores.sweeps["cam"].best().threshold}
    assert (tuned.runs, tuned.map_thresholds) == ((), {})
