"""Thresholds and masses chosen on one annotated set, to be scored on another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError
from wsloc.evaluation.live import score_images
from wsloc.evaluation.scores import BoxRule, RunKey, Scores, Tuned
from wsloc.metrics.imagenet import known_overlaps
from wsloc.metrics.localization import IOU_THRESHOLD
from wsloc.outputs.report_records import ChosenOn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile, Sample

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
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if the tuning set has neither boxes nor masks, or does not fit the network's classes.
    """
    groups = dict.fromkeys((run.map, run.rule.kind) for run in runs if run.rule is not None)
    candidates = {group: _candidates(group, runs) for group in groups}
    with_boxes = any(sample.boxes for _, sample in pairs)
    tried = [run for group in candidates.values() for run in group] if with_boxes else list(runs)
    scores = Scores(pairs, localizer.classes, tried, threshold_step=threshold_step, with_guesses=False)
    if not with_boxes and not scores.sweeps:
        raise DataError(
            "the tuning set carries no boxes, nor masks: name annotations that have some in --tune-on"
        )
    score_images(localizer, files, scores, batch_size=batch_size, workers=workers, on_batch=on_batch)
    groups_of_boxes = candidates.values() if with_boxes else ()
    best = [min(group, key=lambda run: known_error(scores, run)) for group in groups_of_boxes]
    tops = {name: curve.best("single")[IOU_THRESHOLD].threshold for name, curve in scores.curves.items()}
    masks = {name: sweep.best().threshold for name, sweep in scores.sweeps.items() if sweep.has_maps}
    tuned = Tuned(tuple(RunKey(run.map, run.rule, tuned=True) for run in best), tops, masks)
    shared = {file.path.resolve() for file in files} & {file.path.resolve() for file in scored}
    return replace(tuned, chosen_on=ChosenOn.SCORED_SET) if shared else tuned


def known_error(scores: Scores, run: RunKey) -> float:
    """The GT-known localization error, 0-1, of a run that has a box for every label."""
    overlaps = known_overlaps(scores.known[run], scores.truth)[scores.truth.label_has_box()]
    return float(np.mean(overlaps < IOU_THRESHOLD))


def _candidates(group: tuple[str, str], runs: Sequence[RunKey]) -> list[RunKey]:
    """Every value that is tried for one map and kind of rule, ascending."""
    name, kind = group
    given = {run.rule.value for run in runs if run.rule is not None and (run.map, run.rule.kind) == group}
    return [RunKey(name, BoxRule(kind, value)) for value in sorted({*GRIDS[kind], *given})]
