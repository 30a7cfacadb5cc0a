"""What a run's score maps come to against masks: mean IoU at its threshold, at the best one, and the curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.evaluation.run_keys import mask_threshold
from wsloc.metrics.segmentation import mean_percent
from wsloc.outputs.report_records import ChosenOn, ClassFigures, Curve, Threshold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.evaluation.run_keys import RunKey
    from wsloc.evaluation.scores import Scores
    from wsloc.metrics.segmentation import MaskFigures

BACKGROUND_NAME = "background"
CLASS_KEYS = {"class_iou": "iou", "mask_precision": "precision", "mask_recall": "recall"}  # -> of MaskFigures


def add_mask_figures(
    scores: Scores, run: RunKey, chosen_on: ChosenOn, metrics: dict[str, float]
) -> dict[str, Threshold]:
    """Add mean IoU, precision and recall in percent; returns what their thresholds were chosen on.

    Args:
        scores: filled.
        run: one of its runs.
        chosen_on: what the value of the run's rule was chosen on.
        metrics: of the run; nothing is added where no mask was scored.
    """
    sweep = scores.sweeps.get(run.map)
    if sweep is None or not sweep.has_maps:
        return {}
    value = mask_threshold(run)
    own = run.rule is not None and run.rule.kind == "threshold"
    given = Threshold(chosen_on if own else ChosenOn.NOTHING, f"scores above {value:g} of the maximum")
    means = class_means(sweep.figures_at(value))
    best = sweep.best()
    metrics |= {**means, "best_miou": best.miou}
    words = f"scores above {best.threshold:g} of the maximum, the best there is"
    thresholds = {**dict.fromkeys(means, given), "best_miou": Threshold(ChosenOn.SCORED_SET, words)}
    tuned = scores.tuned
    if tuned is not None and run.map in tuned.mask_thresholds:
        threshold = tuned.mask_thresholds[run.map]
        metrics["miou_tuned"] = sweep.figures_at(threshold).miou()
        words = f"scores above {threshold:g} of the maximum, the best on the tuning set"
        thresholds["miou_tuned"] = Threshold(tuned.chosen_on, words)
    return thresholds


def class_means(figures: MaskFigures) -> dict[str, float]:
    """Means over background and classes in percent, each over those that have it."""
    return {
        "miou": figures.miou(),
        "mask_precision": mean_percent(figures.precision),
        "mask_recall": mean_percent(figures.recall),
    }


def mask_curve(scores: Scores, name: str) -> Curve | None:
    """The mean IoU of a map against its threshold; None where no mask was scored."""
    sweep = scores.sweeps.get(name)
    if sweep is None or not sweep.has_maps:
        return None
    return Curve(tuple(sweep.thresholds.tolist()), {"miou": tuple(sweep.curve().tolist())})


def mask_figures_by_class(scores: Scores, run: RunKey) -> dict[int, dict[str, float]]:
    """IoU, precision and recall in percent of each class index, -1 for the background; empty without masks."""
    sweep = scores.sweeps.get(run.map)
    if sweep is None or not sweep.has_maps or scores.mask_truth is None:
        return {}
    rows = figures_by_number(sweep.figures_at(mask_threshold(run)))
    return dict(zip((-1, *scores.mask_truth.class_indices), rows, strict=True))


def figures_by_number(figures: MaskFigures) -> list[dict[str, float]]:
    """IoU, precision and recall in percent of the background and each class; what is not defined is absent."""
    rows: list[dict[str, float]] = []
    for number in range(len(figures.truth)):
        values = {key: float(getattr(figures, name)[number]) for key, name in CLASS_KEYS.items()}
        rows.append({key: 100 * value for key, value in values.items() if not np.isnan(value)})
    return rows


def background_row(images: int, metrics: dict[str, float]) -> ClassFigures:
    """The background in a table of classes."""
    return ClassFigures("", BACKGROUND_NAME, images, metrics)


def absent_classes(figures: MaskFigures, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Classes without a true pixel: those that are claimed all the same, whose IoU is 0, and those that are not.

    Args:
        figures: of background and classes.
        names: of the classes.
    """
    without = figures.truth[1:] == 0
    claimed = figures.claimed[1:] > 0
    all_names = np.array(names, dtype=object)
    return all_names[without & claimed].tolist(), all_names[without & ~claimed].tolist()
