from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.reference import segmentation_literal
from wsloc.evaluation.figures import evaluation_run, run_figures
from wsloc.evaluation.mask_figures import absent_classes, mask_curve
from wsloc.evaluation.run_keys import BoxRule, RunKey, Tuned
from wsloc.evaluation.scores import Scores
from wsloc.metrics.segmentation import MaskFigures
from wsloc.outputs.report_records import ChosenOn
from wsloc.records import Classes, Sample

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

CLASSES = Classes(("cat", "cow", "dog"), ("cat", "cow", "dog"))
NUMBERING = ((1, "cat"), (2, "dog"), (3, ""))
RUN = RunKey("cam", BoxRule("threshold", 0.3))


def data(folder: Path) -> tuple[list[Sample], list[npt.NDArray[np.uint8]]]:
    """An image of a cat and one of a cat and a dog, with other things."""
    generator = np.random.default_rng(2)
    samples, masks = [], []
    for name, labels in (("a", ("cat",)), ("b", ("dog", "cat"))):
        values = [value for value, label in NUMBERING if label in (*labels, "")]
        mask = generator.choice([0, 0, 255, *values], (20, 30)).astype(np.uint8)
        Image.fromarray(mask).save(folder / f"{name}.png")
        samples.append(Sample(name, None, labels, (20, 30), (), (folder / f"{name}.png",), NUMBERING))
        masks.append(mask)
    return samples, masks


def filled(folder: Path, runs: tuple[RunKey, ...] = (RUN,)) -> tuple[Scores, list[npt.NDArray[np.float32]]]:
    samples, _ = data(folder)
    scores = Scores([(s.image, s) for s in samples], CLASSES, runs, threshold_step=0.1)
    maps = []
    for row, sample in enumerate(samples):
        cells = np.random.default_rng(row).random((len(sample.labels), 20, 30)).astype(np.float32) * 0.6
        indices = [CLASSES.ids.index(label) for label in sample.labels]
        scores.add_maps(row, "cam", indices, dict(zip(indices, cells, strict=True)))
        maps.append(cells / cells.max(axis=(1, 2), keepdims=True))
    return scores, maps


def test_figures_and_curve_are_the_literal_ones(tmp_path: Path) -> None:
    scores, maps = filled(tmp_path)
    _, masks = data(tmp_path)
    truths = [np.where(mask == 3, 0, mask) for mask in masks]
    numbers = ([1], [2, 1])  # the cow, of no mask's value, is not scored
    expected = []
    for threshold in np.arange(10) / 10:
        seeds = [
            segmentation_literal.label_map(cells, own, threshold)
            for cells, own in zip(maps, numbers, strict=True)
        ]
        expected.append(segmentation_literal.miou(truths, seeds, 2))
    run = evaluation_run(scores, RUN, run_figures(scores, RUN, frozenset()), ChosenOn.NOTHING)
    assert list(run.curves["miou"].percent["miou"]) == pytest.approx(expected)
    assert run.metrics["miou"] == pytest.approx(expected[3])
    assert run.metrics["best_miou"] == pytest.approx(max(expected))
    assert run.thresholds["miou"].chosen_on is ChosenOn.NOTHING
    assert run.thresholds["miou"].words == "scores above 0.3 of the maximum"
    assert run.thresholds["best_miou"].chosen_on is ChosenOn.SCORED_SET
    seeds = [segmentation_literal.label_map(*each, 0.3) for each in zip(maps, numbers, strict=True)]
    rows = segmentation_literal.figures(truths, seeds, 2)
    names = [row.class_name for row in run.per_class]
    assert names == ["background", "cat", "dog"]
    assert [row.images for row in run.per_class] == [2, 2, 1]
    for found, row in zip(run.per_class, rows, strict=True):
        assert found.metrics["class_iou"] == pytest.approx(100 * row["iou"])
        assert found.metrics["mask_precision"] == pytest.approx(100 * row["precision"])
        assert found.metrics["mask_recall"] == pytest.approx(100 * row["recall"])


def test_the_threshold_of_another_set_is_a_figure_of_its_own(tmp_path: Path) -> None:
    scores, _ = filled(tmp_path)
    scores.tuned = Tuned((), {}, {"cam": 0.5})
    run = evaluation_run(scores, RUN, run_figures(scores, RUN, frozenset()), ChosenOn.NOTHING)
    curve = mask_curve(scores, "cam")
    assert curve is not None
    assert run.metrics["miou_tuned"] == curve.percent["miou"][5]
    assert run.thresholds["miou_tuned"].chosen_on is ChosenOn.TUNING_SET


def test_rules_of_other_kinds_have_a_threshold_that_is_given(tmp_path: Path) -> None:
    run = RunKey("cam", BoxRule("mass", 0.98), tuned=True)
    scores, _ = filled(tmp_path, (run,))
    found = evaluation_run(scores, run, run_figures(scores, run, frozenset()), ChosenOn.TUNING_SET)
    assert found.thresholds["miou"].words == "scores above 0.2 of the maximum"
    assert found.thresholds["miou"].chosen_on is ChosenOn.NOTHING
    assert found.metrics["miou"] == pytest.approx(found.curves["miou"].percent["miou"][2])


def test_without_maps_there_are_no_figures(tmp_path: Path) -> None:
    samples, _ = data(tmp_path)
    scores = Scores([(s.image, s) for s in samples], CLASSES, [RUN], threshold_step=0.1)
    scores.add_maps(0, "cam", [0, 1], np.ones((20, 30), np.float32))  # one map for all classes
    scores.fail(1, "b: cannot be read")
    run = evaluation_run(scores, RUN, run_figures(scores, RUN, frozenset()), ChosenOn.NOTHING)
    assert not any("miou" in key for key in run.metrics)
    assert run.curves == {}


def test_classes_without_true_pixels() -> None:
    counts = [np.array(values) for values in ([9, 4, 0, 0], [5, 6, 2, 0], [3, 3, 0, 0])]
    assert absent_classes(MaskFigures(*counts), ["cat", "dog", "cow"]) == (["dog"], ["cow"])
