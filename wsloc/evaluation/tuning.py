"""Thresholds and masses chosen on one annotated set, to be scored on another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError
from wsloc.evaluation.live import add_kept, score_images
from wsloc.evaluation.run_keys import BoxRule, RunKey, Tuned
from wsloc.evaluation.scores import Scores
from wsloc.metrics.imagenet import known_overlaps
from wsloc.metrics.localization import IOU_THRESHOLD
from wsloc.outputs.report_records import ChosenOn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsloc.evaluation.stages import Stage
    from wsloc.localizer import Localizer
    from wsloc.records import Classes, ImageFile, Sample

# The values that are tried for each kind of rule, beside those that were asked for.
GRIDS: dict[str, tuple[float, ...]] = {
    "threshold": tuple(number / 20 for number in range(1, 20)),
    "excess": tuple(number / 20 for number in range(1, 20)),
    "mass": (*(number / 20 for number in range(10, 20)), 0.98),
}


def tune(
    localizer: Localizer,
    files: Sequence[ImageFile],
    pairs: Sequence[tuple[str, Sample]],
    runs: Sequence[RunKey],
    *,
    scored: Sequence[ImageFile] = (),
    threshold_step: float,
    batch_size: int = 16,
    workers: int = 0,
    stage: Stage | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Tuned:
    """Score a grid of values of each rule on a tuning set, and keep the best.

    Candidates are scored as the run itself is: the same boxes of the same maps, GT-known error at IoU 0.5; where
    there are masks of numbered classes, every map's threshold by their mean IoU, too. Of equally good values the
    smallest is taken. Where a picture of the tuning set is among those that are to be
    scored, the choice counts as made on these.

    Args:
        localizer: from `wsloc.load`.
        files: the images of the tuning set.
        pairs: `(image id, sample)`, in the order of the files.
        runs: those that are to be scored; tells which maps, and which kinds of rules.
        scored: the images of the scored set.
        threshold_step: of the MaxBoxAcc curves, fraction of the maximum.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        stage: where batches are kept, of which this process does its share; all processes choose the same. None to
            do all of them.
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if the tuning set has neither boxes nor masks, or does not fit the network's classes.
    """
    scores = tuning_scores(localizer.classes, pairs, runs, threshold_step=threshold_step)
    score_images(
        localizer, files, scores, batch_size=batch_size, workers=workers, stage=stage, on_batch=on_batch
    )
    if stage is not None:
        stage.meet()
        add_kept(scores, stage)
    groups_of_boxes = _candidates(runs) if any(sample.boxes for _, sample in pairs) else []
    best = [min(group, key=lambda run: known_error(scores, run)) for group in groups_of_boxes]
    tops = {name: curve.best("single")[IOU_THRESHOLD].threshold for name, curve in scores.curves.items()}
    masks = {name: sweep.best().threshold for name, sweep in scores.sweeps.items() if sweep.has_maps}
    tuned = Tuned(tuple(RunKey(run.map, run.rule, tuned=True) for run in best), tops, masks)
    shared = {file.path.resolve() for file in files} & {file.path.resolve() for file in scored}
    return replace(tuned, chosen_on=ChosenOn.SCORED_SET) if shared else tuned


def tuning_scores(
    classes: Classes, pairs: Sequence[tuple[str, Sample]], runs: Sequence[RunKey], *, threshold_step: float
) -> Scores:
    """Empty scores of everything that is tried on a tuning set.

    Args:
        classes: of the network.
        pairs: `(image id, sample)`, one a row.
        runs: those that are to be scored.
        threshold_step: of the MaxBoxAcc curves, fraction of the maximum.

    Raises:
        DataError: if the tuning set has neither boxes nor masks, or does not fit the network's classes.
    """
    with_boxes = any(sample.boxes for _, sample in pairs)
    tried = [run for group in _candidates(runs) for run in group] if with_boxes else list(runs)
    scores = Scores(pairs, classes, tried, threshold_step=threshold_step, with_guesses=False)
    if not with_boxes and not scores.sweeps:
        raise DataError(
            "the tuning set carries no boxes, nor masks: name annotations that have some in --tune-on"
        )
    return scores


def known_error(scores: Scores, run: RunKey) -> float:
    """The GT-known localization error, 0-1, of a run that has a box for every label."""
    overlaps = known_overlaps(scores.known[run], scores.truth)[scores.truth.label_has_box()]
    return float(np.mean(overlaps < IOU_THRESHOLD))


def _candidates(runs: Sequence[RunKey]) -> list[list[RunKey]]:
    """What is tried, for each map and kind of rule among the runs."""
    groups = dict.fromkeys((run.map, run.rule.kind) for run in runs if run.rule is not None)
    return [_group(group, runs) for group in groups]


def _group(group: tuple[str, str], runs: Sequence[RunKey]) -> list[RunKey]:
    """Every value that is tried for one map and kind of rule, ascending."""
    name, kind = group
    given = {run.rule.value for run in runs if run.rule is not None and (run.map, run.rule.kind) == group}
    return [RunKey(name, BoxRule(kind, value)) for value in sorted({*GRIDS[kind], *given})]
