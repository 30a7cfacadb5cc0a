"""From scores to figures: errors with their intervals, curves, figures a class and a size of object, and cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.evaluation.mask_figures import (
    add_mask_figures,
    background_row,
    mask_curve,
    mask_figures_by_class,
)
from wsloc.metrics.imagenet import SIZE_NAMES, judge, known_overlaps
from wsloc.metrics.localization import IOU_THRESHOLD
from wsloc.metrics.summaries import figure, grouped_means, iou_histogram
from wsloc.outputs.report_records import (
    KINDS,
    Case,
    ChosenOn,
    ClassFigures,
    Curve,
    EvaluationRun,
    SizeBin,
    Threshold,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from wsloc.evaluation.run_keys import RunKey
    from wsloc.evaluation.scores import Scores
    from wsloc.metrics.max_box_acc import ContourRule
    from wsloc.records import Box

    Floats = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

CASES = 6  # pictures of each kind
CONTOUR_RULES: dict[str, ContourRule] = {"max_box_acc": "single", "max_box_acc_multi": "multi"}


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What one run comes to, image by image and label by label.

    Attributes:
        by_image: error name -> (values (N,), 1 for wrong, and which images count (N,)).
        overlaps: IoU (L,) of each label's box, or None without a box for every label.
        counted: which labels (L,) count for GT-known.
    """

    by_image: Mapping[str, tuple[Floats, Bools]]
    overlaps: Floats | None
    counted: Bools


def run_figures(scores: Scores, run: RunKey, blacklist: frozenset[str]) -> RunFigures:
    """Judge one run.

    Args:
        scores: filled.
        run: one of its runs.
        blacklist: ids of images that are left out of localization, not of classification.
    """
    truth, guesses = scores.truth, scores.guesses[run]
    listed = np.array([image in blacklist for image in scores.ids], dtype=np.bool_)
    everyone = np.ones(len(scores.ids), dtype=np.bool_)
    located = truth.image_has_box() & ~listed
    by_image: dict[str, tuple[Floats, Bools]] = {}
    if guesses.answered.any():
        judgement = judge(guesses, truth)
        tops = {"top1": 1} | ({"top5": 5} if guesses.fewest() >= min(5, len(scores.classes)) else {})
        for name, top in tops.items():
            wrong = judgement.wrong_class(top).astype(np.float64)
            by_image[f"{name}_classification_error"] = (wrong, everyone)
            if located.any():
                wrong = judgement.wrong_box(top).astype(np.float64)
                by_image[f"{name}_localization_error"] = (wrong, located)
    if run.map in scores.ten_crop:
        best = scores.ten_crop[run.map]  # (N, 5)
        images = np.repeat(np.arange(len(best)), best.shape[1])
        right = (truth.find(images, best.ravel()) >= 0).reshape(best.shape)
        for name, top in {"top1": 1, "top5": 5}.items():
            wrong = np.logical_not(right[:, :top].any(axis=1)).astype(np.float64)
            by_image[f"ten_crop_{name}_classification_error"] = (wrong, everyone)
    counted = truth.label_has_box() & ~listed[truth.label_images]
    boxes = scores.known[run]
    complete = counted.any() and np.isfinite(boxes[counted]).all()
    overlaps = known_overlaps(np.nan_to_num(boxes), truth) if complete else None
    return RunFigures(by_image, overlaps, counted)


def evaluation_run(
    scores: Scores, run: RunKey, figures: RunFigures, chosen_on: ChosenOn, random_seed: int = 0
) -> EvaluationRun:
    """One run as a report has it."""
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}

    def add(key: str, values: Floats) -> None:
        found = figure(values, random_seed=random_seed)
        metrics[key], intervals[key] = found.value, (found.lower, found.upper)

    for key, (wrong, counted) in figures.by_image.items():
        add(key, wrong[counted])
    if figures.overlaps is not None:
        overlaps = figures.overlaps[figures.counted]
        add("gt_known_localization_error", (overlaps < IOU_THRESHOLD).astype(np.float64))
        metrics["mean_iou"] = float(overlaps.mean())
    given = {} if run.rule is None else dict.fromkeys(_boxed(metrics), Threshold(chosen_on, run.box))
    thresholds = {**given, **_add_curve_figures(scores, run.map, metrics)}
    thresholds |= _add_tuned_accuracy(scores, run.map, metrics)
    thresholds |= add_mask_figures(scores, run, chosen_on, metrics)
    return EvaluationRun(
        map=run.map,
        box=run.box,
        metrics=metrics,
        intervals=intervals,
        thresholds=thresholds,
        curves=_curves(scores, run.map),
        iou_histogram=_histogram(figures),
        per_class=_per_class(scores, run, figures),
        size_bins=_size_bins(scores, figures),
        cases=_cases(scores, run, figures),
    )


def _boxed(metrics: Mapping[str, float]) -> list[str]:
    """The figures that hang on the box rule."""
    return [key for key in metrics if key.endswith("localization_error") or key == "mean_iou"]


def _add_curve_figures(scores: Scores, name: str, metrics: dict[str, float]) -> dict[str, Threshold]:
    """Add MaxBoxAcc, MaxBoxAccV2 and PxAP in percent; their thresholds are chosen with the truth they score."""
    thresholds: dict[str, Threshold] = {}
    curves = scores.curves.get(name)
    if curves is not None and curves.images:
        metrics["max_box_acc"], metrics["max_box_acc_v2"] = curves.max_box_acc(), curves.max_box_acc_v2()
        best = curves.best("single")[0.5].threshold
        thresholds["max_box_acc"] = Threshold(
            ChosenOn.SCORED_SET, f"{best:g} of the maximum, the best there is"
        )
        tops = ", ".join(f"{top.threshold:g}" for top in curves.best("multi").values())
        thresholds["max_box_acc_v2"] = Threshold(
            ChosenOn.SCORED_SET, f"{tops} of the maximum, the best there are"
        )
    pixels = scores.pixels.get(name)
    if pixels is not None and pixels.images:
        metrics["px_ap"] = pixels.value()
        thresholds["px_ap"] = Threshold(ChosenOn.NOTHING, "all thresholds")
    return thresholds


def _add_tuned_accuracy(scores: Scores, name: str, metrics: dict[str, float]) -> dict[str, Threshold]:
    """Add, in percent, what the largest contour reaches at the map threshold that the tuning set chose."""
    curves = scores.curves.get(name)
    if scores.tuned is None or curves is None or not curves.images or name not in scores.tuned.map_thresholds:
        return {}
    threshold = scores.tuned.map_thresholds[name]
    metrics["box_acc_tuned"] = curves.accuracy_at(threshold, IOU_THRESHOLD, "single")
    words = f"{threshold:g} of the maximum, the best on the tuning set"
    return {"box_acc_tuned": Threshold(scores.tuned.chosen_on, words)}


def _curves(scores: Scores, name: str) -> dict[str, Curve]:
    accumulated, of_masks = scores.curves.get(name), mask_curve(scores, name)
    curves = {} if of_masks is None else {"miou": of_masks}
    if accumulated is None or not accumulated.images:
        return curves
    for key, rule in CONTOUR_RULES.items():
        values = accumulated.curve(rule)
        thresholds = tuple(values.pop("thresholds"))
        curves[key] = Curve(thresholds, {iou: tuple(percent) for iou, percent in values.items()})
    return curves


def _histogram(figures: RunFigures) -> tuple[int, ...] | None:
    if figures.overlaps is None:
        return None
    return tuple(iou_histogram(figures.overlaps[figures.counted]).counts.tolist())


def _per_class(scores: Scores, run: RunKey, figures: RunFigures) -> tuple[ClassFigures, ...]:
    """Figures of each class that an image is labelled with; an image with several counts for each.

    Where masks are scored, the background comes first.
    """
    truth, number = scores.truth, len(scores.classes)
    columns: dict[str, tuple[npt.NDArray[np.int64], Floats]] = {}
    for key, (wrong, counted) in figures.by_image.items():
        groups = np.where(counted[truth.label_images], truth.labels, -1)
        columns[key] = grouped_means(wrong[truth.label_images], groups, number)
    if figures.overlaps is not None:
        groups = np.where(figures.counted, truth.labels, -1)
        wrong = (figures.overlaps < IOU_THRESHOLD).astype(np.float64)
        columns["gt_known_localization_error"] = grouped_means(wrong, groups, number)
        columns["mean_iou"] = grouped_means(figures.overlaps, groups, number)
    images = np.bincount(truth.labels, minlength=number)
    of_masks = mask_figures_by_class(scores, run)
    rows = [
        ClassFigures(
            scores.classes.ids[index],
            scores.classes.names[index],
            int(images[index]),
            {key: float(means[index]) for key, (counts, means) in columns.items() if counts[index]}
            | of_masks.get(index, {}),
        )
        for index in np.flatnonzero(images).tolist()
    ]
    return (*([background_row(scores.sweeps[run.map].images, of_masks[-1])] if of_masks else []), *rows)


def _size_bins(scores: Scores, figures: RunFigures) -> tuple[SizeBin, ...]:
    """Figures by the size of the largest true box, of images whose size is known."""
    if figures.overlaps is None:
        return ()
    bins = scores.truth.size_bins()[scores.truth.label_images]
    groups = np.where(figures.counted, bins, -1)
    wrong = grouped_means((figures.overlaps < IOU_THRESHOLD).astype(np.float64), groups, len(SIZE_NAMES))
    overlaps = grouped_means(figures.overlaps, groups, len(SIZE_NAMES))
    return tuple(
        SizeBin(
            f"{name} of the image",
            int(wrong.images[place]),
            {
                "gt_known_localization_error": float(wrong.means[place]),
                "mean_iou": float(overlaps.means[place]),
            },
        )
        for place, name in enumerate(SIZE_NAMES)
        if wrong.images[place]
    )


def _cases(scores: Scores, run: RunKey, figures: RunFigures) -> tuple[Case, ...]:
    """The labels with the best, the most ordinary and the worst boxes."""
    if figures.overlaps is None:
        return ()
    places = np.flatnonzero(figures.counted)
    order = places[np.argsort(-figures.overlaps[places], kind="stable")]
    middle = max(0, (len(order) - CASES) // 2)
    chosen = {"best": order[:CASES], "median": order[middle : middle + CASES], "worst": order[::-1][:CASES]}
    if len(order) < len(KINDS) * CASES:  # a small set: every case once, in the kind that it is nearest to
        chosen = dict(zip(("best", "median", "worst"), np.array_split(order, 3), strict=True))
    cases = []
    for kind in KINDS:
        for place in chosen[kind].tolist():
            row, label = int(scores.truth.label_images[place]), int(scores.truth.labels[place])
            height, width = scores.truth.image_sizes[row]
            if min(height, width) <= 0:
                continue
            cases.append(
                Case(
                    kind=kind,
                    image=scores.ids[row],
                    class_name=scores.classes.names[label],
                    iou=float(figures.overlaps[place]),
                    image_size=(int(height), int(width)),
                    truth=tuple(_as_box(box) for box in scores.label_boxes[place]),
                    predicted=_as_box(scores.known[run][place]),
                    path=scores.samples[row].path,
                )
            )
    return tuple(cases)


def _as_box(edges: Floats) -> Box:
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1
