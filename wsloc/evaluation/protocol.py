"""How everything was measured, in words: what a report says of the run that made it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.evaluation.ten_crop import MARGIN
from wsloc.methods import MAPS
from wsloc.metrics.score_maps import PROTOCOL_SIDE as SIDE
from wsloc.networks.precision import precision_name
from wsloc.networks.tasks import SINGLE_LABEL
from wsloc.outputs.report_records import ChosenOn
from wsloc.views import Views

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsloc.evaluation.scores import Scores
    from wsloc.localizer import Localizer

Words = tuple[tuple[str, str], ...]

RIGHT = (
    "an image is right if any of its guesses (one for Top-1, five for Top-5) names its class and overlaps any true "
    "box of that class with an IoU of 0.5 or more; each box is a guess, so several of one class are several guesses, "
    "and only the first five count"
)
KNOWN = "the class is given, and its box overlaps any true box of that class with an IoU of 0.5 or more"
RULES = {
    "mass": "mass: the smallest rectangle that holds this share of the map's total",
    "threshold": "threshold: the largest component of the cells that reach this share of the map's maximum",
    "excess": "excess: the smallest rectangle that holds 98 % of what rises above this share of the map's maximum",
}
MASKS = (
    "the maps of an image's own classes, as they are given in its labels, are brought to its mask's size bilinearly; a "
    "pixel is of the class whose score is highest there if that score exceeds the threshold, else of the background. "
    "One confusion matrix of all pixels, void (255) left out; the mean is over the background and every class of which "
    "either side has a pixel, and classes that are not scored count as background. An image that failed counts as "
    "background. The figure is of the label maps themselves: it is not comparable with the mean IoU of a segmentation "
    "network that was trained on such maps, which papers report"
)
LIVE_FAILURES = (
    "an image that cannot be read, or is of another size than its annotation says, counts as wrong everywhere"
)
RESIZED = "bilinearly, by area averages where both sides shrink"


def live_protocol(localizer: Localizer, scores: Scores, *, tune_on: Path | None = None) -> Words:
    """Of images that went through a network.

    Args:
        localizer: with its preprocessing.
        scores: filled.
        tune_on: where the tuning set's annotations are, if there is one.
    """
    side = localizer.preprocessing.image_size
    way = (
        f"squashed to {side} x {side} pixels"
        if localizer.preprocessing.resize == "squash"
        else f"its aspect ratio kept (up to 4 : 1), the shorter side {side} pixels"
    )
    first = localizer.views.scales[0]
    way += "" if first == 1 else f", the input then scaled by {first:g}"
    parts = [("Classification", f"one view of each image: the whole picture, {way}")]
    if localizer.autocast is not None:
        layers = f"the layers up to the last feature map in {precision_name(localizer.autocast)}"
        parts.append(("Precision", f"{layers}, logits and maps in float32"))
    if scores.ten_crop:
        parts.append(("Ten crops", _ten_crop(localizer, scores)))
    if scores.has_boxes or scores.pixels:
        parts += _looks(localizer, scores)
    if scores.has_boxes:
        parts.append(("Localization", RIGHT))
        parts.append(
            ("GT-known", f"{KNOWN}; that box is of the true class's own map, or of the one map for all")
        )
        parts.append(("Boxes", _rules(scores) + "; taken from the map at the size of the network's input"))
    made = f"brought from the input's size to {SIDE} x {SIDE} ({RESIZED}), then min-max normalised"
    parts += _curves(scores, f"the true class's maps, {made}")
    if scores.tuned is not None:
        parts.append(("Tuning", _tuning(scores, tune_on)))
    return (*parts, ("Failures", LIVE_FAILURES))


def predictions_protocol(path: Path, scores: Scores) -> Words:
    """Of a file of guesses.

    Args:
        path: the file.
        scores: filled.
    """
    parts = [("Classification", f"the guesses of {path.name}, as they stand there, best first")]
    if scores.has_boxes:
        parts.append(("Localization", RIGHT))
        words = "the box is the first that the file has for it, or the one it has for all classes"
        parts.append(("GT-known", f"{KNOWN}; {words}. Absent unless every line has such a box"))
    failed = (
        "an annotated image without a line, with an error in its place, or with boxes of a picture of another size, "
        "counts as wrong everywhere; lines of images that are not annotated are passed over"
    )
    return (*parts, ("Failures", failed))


def maps_protocol(scores: Scores, *, normalize: bool, resize: bool) -> Words:
    """Of a folder of map files.

    Args:
        scores: filled.
        normalize: whether each map's range was stretched.
        resize: whether maps of another size were accepted.
    """
    size = (
        f"brought to {SIDE} x {SIDE} where they differ ({RESIZED})"
        if resize
        else f"{SIDE} x {SIDE}, as they come"
    )
    values = "min-max normalised" if normalize else "values as they stand in the file, 0-1"
    parts = [
        ("Maps", f"each file is the map of its image's true class: {size}; {values}; nothing is classified")
    ]
    if scores.has_boxes:
        parts.append(("GT-known", KNOWN))
        parts.append(("Boxes", _rules(scores) + f"; taken from that map of {SIDE} x {SIDE}"))
    parts += _curves(scores, "these maps")
    failed = (
        "an image without a map of its class that can be read, or whose size is not known, counts as wrong "
        "everywhere; maps of images that are not annotated are passed over"
    )
    return (*parts, ("Failures", failed))


def common_protocol(blacklist: Path | None, listed: int) -> Words:
    """Of every source.

    Args:
        blacklist: the file, or None.
        listed: how many of the images it names.
    """
    interval = ("Intervals", "95 %, percentile bootstrap over images")
    if blacklist is None:
        return (interval,)
    words = (
        f"the {listed:,} images that {blacklist.name} lists are left out of Top-1, Top-5 and GT-known Loc; "
        "classification, MaxBoxAcc and PxAP count them"
    )
    return (("Blacklist", words), interval)


def _ten_crop(localizer: Localizer, scores: Scores) -> str:
    side = localizer.preprocessing.image_size
    what = "softmax" if localizer.task == SINGLE_LABEL else "sigmoid"
    words = (
        f"the mean of the {what} outputs of four corners, the centre and their mirror images, {side} x {side} pixels "
        f"each, of the picture with its shorter side brought to {round(side * MARGIN)}"
    )
    pooled = [name for name in scores.ten_crop if MAPS[name].entropy_pooled]
    return words + (f"; under entropy pooling for {', '.join(pooled)}" if pooled else "")


def _looks(localizer: Localizer, scores: Scores) -> list[tuple[str, str]]:
    """Views and fine-tunings, where there is more than a look at the input alone."""
    maps = dict.fromkeys(run.map for run in scores.runs)
    averaged = [name for name in maps if not MAPS[name].fine_tuned]
    views = localizer.views
    parts = []
    if averaged and (views.scales, views.flip) != ((1.0,), False):
        parts.append(("Views", _views(localizer, averaged)))
    if len(averaged) < len(maps):
        parts.append(("Fine-tuning", _fine_tuning(localizer, scores)))
    return parts


def _views(localizer: Localizer, maps: Sequence[str]) -> str:
    """What maps are averaged over, where it is not the input alone."""
    views = localizer.views
    seen = _seen(localizer, views)
    if len(views) == 1:
        return f"maps are of {seen}, and brought back to the input's size"
    words = f"each map is the mean of {len(views)}, of {seen}; each is brought to the input's size first"
    stretched = [name for name in maps if MAPS[name].normalization != "none"]
    return words + (f"; for {', '.join(stretched)} the mean is stretched to go up to 1" if stretched else "")


def _seen(localizer: Localizer, views: Views) -> str:
    """What views are of, in words."""
    smallest = localizer.network.family.smallest_input
    seen = "the input"
    if views.scales != (1,):
        seen += f" scaled by {' and '.join(f'{scale:g}' for scale in views.scales)}"
        if min(views.scales) * localizer.preprocessing.image_size < smallest:
            seen += f" (no side below {smallest} pixels)"
    return seen + (", as it is and mirrored" if views.flip else "")


def _fine_tuning(localizer: Localizer, scores: Scores) -> str:
    """How RIB's maps were made."""
    rib = localizer.views.fine_tuning
    count = 0 if rib.pool is None else rib.others
    guesses = " and once for each guess" if scores.has_boxes else ""
    return (
        f"for rib the network is fine-tuned on each image for {rib.steps} steps (SGD, learning rate "
        f"{rib.learning_rate:g} for its last two stages and {rib.classifier_learning_rate:g} for its classifier, "
        f"weight decay {rib.weight_decay:g}, power {rib.power:g}, tau {rib.tau:g}, {count} other images a step), once "
        f"for the image's labels{guesses}; maps are summed ({rib.sum}) over the steps, each of "
        f"{_seen(localizer, Views(rib.scales, rib.flip))}; an image is done where its logits exceed "
        f"{rib.stop_logit:g} or more than {rib.stop_share:g} of a map exceeds {rib.stop_level:g} of its maximum"
    )


def _rules(scores: Scores) -> str:
    kinds = dict.fromkeys(run.rule.kind for run in scores.runs if run.rule is not None)
    return "; ".join(RULES[kind] for kind in kinds)


def _curves(scores: Scores, maps: str) -> list[tuple[str, str]]:
    """MaxBoxAcc and PxAP, where they were computed."""
    parts = []
    steps = {f"{curve.step:g}" for curve in scores.curves.values()}
    if steps:
        words = (
            f"{maps}; the largest contour's box at the one threshold, of all multiples of {steps.pop()}, that suits "
            "the data set best. V2: every contour's box, mean over IoU 0.3, 0.5 and 0.7"
        )
        parts.append(("MaxBoxAcc", words))
    if scores.pixels:
        parts.append(("PxAP", f"{maps}; every pixel of every image, over all thresholds"))
    if any(sweep.has_maps for sweep in scores.sweeps.values()):
        parts.append(("Mean IoU", MASKS))
    return parts


def _tuning(scores: Scores, tune_on: Path | None) -> str:
    """What was chosen on the tuning set, and how."""
    words = (
        "for each map and kind of rule the value with the least GT-known error on the tuning set, if it has boxes; for "
        "the tuned box accuracy and mean IoU the threshold at which the curve of MaxBoxAcc, or of the mean IoU, is "
        "highest there"
    )
    if scores.tuned is not None and scores.tuned.chosen_on is ChosenOn.SCORED_SET:
        words += ". Some of its images are scored here too: tuned figures are flattered"
    return words if tune_on is None else f"{words}. The set: {tune_on}"
