"""What a report holds: the figures of an evaluation, frozen, before any file is written.

A figure that was not computed is absent, never 0; one that is NaN is refused. The keys of `metrics`, `intervals`
and `thresholds` are those of `FIGURES`; others are written too, under their own name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from PIL import Image

    from wsloc.records import Box, Failure

IOU_KEYS = ("0.3", "0.5", "0.7")
IOU_BINS = 20  # of 0.05 each
Kind = Literal["best", "median", "worst"]
KINDS: tuple[Kind, ...] = ("best", "median", "worst")


@dataclass(frozen=True, slots=True)
class Figure:
    """What a metric means to a reader.

    Attributes:
        name: as the literature calls it.
        unit: `fraction` (0-1, shown in percent), `percent`, or `number`.
        better: `lower` or `higher`.
        words: one sentence on what is counted.
    """

    name: str
    unit: Literal["fraction", "percent", "number"]
    better: Literal["lower", "higher"]
    words: str

    @property
    def scale(self) -> float:
        """What a value is multiplied with to be shown."""
        return 100.0 if self.unit == "fraction" else 1.0

    @property
    def sign(self) -> str:
        """What stands behind a shown value."""
        return "" if self.unit == "number" else "%"


FIGURES: dict[str, Figure] = {
    "top1_classification_error": Figure(
        "Top-1 classification error", "fraction", "lower", "The best guess names another class."
    ),
    "top5_classification_error": Figure(
        "Top-5 classification error", "fraction", "lower", "None of five guesses names the class."
    ),
    "top1_localization_error": Figure(
        "Top-1 Loc error",
        "fraction",
        "lower",
        "The best guess has a wrong class, or a box with IoU below 0.5.",
    ),
    "top5_localization_error": Figure(
        "Top-5 Loc error", "fraction", "lower", "None of five guesses has both class and box right."
    ),
    "gt_known_localization_error": Figure(
        "GT-known Loc error", "fraction", "lower", "The class is given; its box has IoU below 0.5."
    ),
    "max_box_acc": Figure(
        "MaxBoxAcc",
        "percent",
        "higher",
        "Boxes with IoU of 0.5 or more, at the map threshold that suits best.",
    ),
    "max_box_acc_v2": Figure(
        "MaxBoxAccV2",
        "percent",
        "higher",
        "Mean over IoU 0.3, 0.5 and 0.7, each at the threshold that suits best.",
    ),
    "box_acc_tuned": Figure(
        "Box accuracy, tuned",
        "percent",
        "higher",
        "As MaxBoxAcc, at the map threshold that suits the tuning set best.",
    ),
    "px_ap": Figure(
        "PxAP", "percent", "higher", "Area under the pixels' precision-recall curve, over all map thresholds."
    ),
    "miou": Figure(
        "Mean IoU of masks",
        "percent",
        "higher",
        "IoU of the label maps, mean over background and classes. It is no figure of a trained segmentation "
        "network, and not comparable with one.",
    ),
    "best_miou": Figure(
        "Mean IoU, best threshold",
        "percent",
        "higher",
        "The same at the map threshold that suits these images best: chosen on the truth.",
    ),
    "miou_tuned": Figure(
        "Mean IoU, tuned",
        "percent",
        "higher",
        "The same at the map threshold that suits the tuning set best.",
    ),
    "miou_labelled": Figure(
        "Mean IoU where labelled", "percent", "higher", "The same, ignored pixels left out altogether."
    ),
    "class_iou": Figure("IoU", "percent", "higher", "Of the class's pixels, over all images."),
    "mask_precision": Figure(
        "Precision of masks", "percent", "higher", "Pixels that are of the class that they are claimed for."
    ),
    "mask_recall": Figure(
        "Recall of masks",
        "percent",
        "higher",
        "Pixels of the class that are claimed for it; ignored ones are not.",
    ),
    "coverage": Figure("Coverage", "percent", "higher", "Pixels that have a label and are not ignored."),
    "mean_iou": Figure(
        "Mean IoU", "number", "higher", "IoU of the box with the best true box, mean over the images."
    ),
}


def figure_of(key: str) -> Figure:
    """What the metric of that key means; one that is not in `FIGURES` is called by its key."""
    name = key.replace("_", " ")
    error = key.endswith("_error")
    other = Figure(
        name[:1].upper() + name[1:], "fraction" if error else "number", "lower" if error else "higher", ""
    )
    return FIGURES.get(key, other)


def in_order(keys: Iterable[str]) -> list[str]:
    """Keys of metrics, each once: those of `FIGURES` in its order, then the others as they come."""
    found = dict.fromkeys(keys)
    return [key for key in FIGURES if key in found] + [key for key in found if key not in FIGURES]


class ChosenOn(StrEnum):
    """Which images a threshold was chosen on, and so whether ground truth helped the figure."""

    NOTHING = "nothing"  # given beforehand: the same for any data set
    TUNING_SET = "tuning-set"  # annotations of other images
    SCORED_SET = "scored-set"  # the annotations of the very images that are scored

    @property
    def used_ground_truth(self) -> bool:
        """Whether any annotation had a say."""
        return self is not ChosenOn.NOTHING


@dataclass(frozen=True, slots=True)
class Threshold:
    """The threshold, or mass, behind a figure.

    Attributes:
        chosen_on: what it was chosen on.
        words: the value and its rule, such as `0.2 of the maximum, given`.
    """

    chosen_on: ChosenOn
    words: str


@dataclass(frozen=True, slots=True)
class Curve:
    """Box accuracy, or the masks' mean IoU, against the map threshold.

    Attributes:
        thresholds: fractions (0-1) of a map's maximum, ascending.
        percent: by IoU (`IOU_KEYS`), the images (0-100) whose box has at least that IoU, one a threshold; or under
            `miou` the mean IoU (0-100).

    Raises:
        ValueError: if there are no thresholds, a list has another length, or a value is not finite.
    """

    thresholds: tuple[float, ...]
    percent: Mapping[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        if not self.thresholds:
            raise ValueError("a curve has at least one threshold")
        for iou, values in self.percent.items():
            if len(values) != len(self.thresholds):
                raise ValueError(f"IoU {iou}: {len(values)} values for {len(self.thresholds)} thresholds")
            _require_finite(f"IoU {iou}", values)

    def best(self, iou: str) -> tuple[float, float]:
        """(threshold, percent) where a key's curve is highest; the lowest of such thresholds."""
        values = self.percent[iou]
        position = max(range(len(values)), key=values.__getitem__)
        return self.thresholds[position], values[position]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The figures of one class.

    Attributes:
        class_id: machine name.
        class_name: words.
        images: how many it was scored on.
        metrics: as in `EvaluationRun`.
    """

    class_id: str
    class_name: str
    images: int
    metrics: Mapping[str, float]

    def __post_init__(self) -> None:
        _require_finite(self.class_id, self.metrics.values())


@dataclass(frozen=True, slots=True)
class SizeBin:
    """The figures of images whose objects are about as large.

    Attributes:
        label: words, such as `10-20 % of the image`.
        images: how many it was scored on.
        metrics: as in `EvaluationRun`.
    """

    label: str
    images: int
    metrics: Mapping[str, float]

    def __post_init__(self) -> None:
        _require_finite(self.label, self.metrics.values())


@dataclass(frozen=True, slots=True)
class Case:
    """One image that is shown, with its true boxes and the one predicted.

    Attributes:
        kind: what it is an example of.
        image: id.
        class_name: words.
        iou: of the predicted box with the best true one, or of the masks, 0-1.
        image_size: (height, width) in pixels.
        truth: boxes xyxy, half-open, image frame.
        predicted: likewise; None if there is none.
        path: where the picture is; read while the report is written. None where there are no pictures.
        picture: the upright picture, of any size, where it is at hand; goes before `path`.
        words: what is drawn in the picture itself, where that is masks and not boxes; a panel beside another.
    """

    kind: Kind
    image: str
    class_name: str
    iou: float
    image_size: tuple[int, int]
    truth: tuple[Box, ...]
    predicted: Box | None = None
    path: Path | None = None
    picture: Image.Image | None = field(default=None, repr=False, compare=False)
    words: str = ""

    def __post_init__(self) -> None:
        _require_finite(self.image, [self.iou])


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One map with one box rule, scored.

    Attributes:
        map: its name, `entropy-top5`.
        box: the rule with its value, `mass 0.98`; empty where no box is taken.
        metrics: figures by key; units as `FIGURES` has them.
        intervals: (lower, upper) of the 95 % interval, in the metric's own unit.
        thresholds: what each figure's threshold was chosen on; figures without a threshold are absent.
        curves: `max_box_acc` (largest contour) and `max_box_acc_multi` (every contour), by IoU; `miou`, under that
            key alone.
        iou_histogram: images by the IoU of their box, `IOU_BINS` bins of 0.05, the last one closed; or None.
        per_class: in the order of the classes.
        size_bins: smallest objects first.
        cases: what is shown, best before median before worst.

    Raises:
        ValueError: if a figure is NaN or infinite, or the histogram has another number of bins.
    """

    map: str
    box: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    iou_histogram: tuple[int, ...] | None = None
    per_class: tuple[ClassFigures, ...] = ()
    size_bins: tuple[SizeBin, ...] = ()
    cases: tuple[Case, ...] = ()

    def __post_init__(self) -> None:
        _require_finite(self.label, self.metrics.values())
        _require_finite(f"{self.label}, intervals", (end for ends in self.intervals.values() for end in ends))
        if self.iou_histogram is not None and len(self.iou_histogram) != IOU_BINS:
            raise ValueError(f"expected {IOU_BINS} bins of IoU, got {len(self.iou_histogram)}")

    @property
    def label(self) -> str:
        """What the run is called: `entropy-top5, mass 0.98`."""
        return ", ".join(filter(None, (self.map, self.box)))


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Names on one side for which the other side has nothing.

    Attributes:
        words: which side, such as `images without annotation`.
        count: how many.
        first: some of them.
    """

    words: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation, ready to be written.

    Attributes:
        title: of the page.
        protocol: (name, words) pairs that say how everything was measured; names differ.
        counts: images by what became of them (`annotated`, `scored`, `failed`, ...).
        runs: at least one; the first is the one that was asked for first.
        notes: what a reader must know before trusting a figure.
        failures: images that could not be used; they count as wrong.
        unmatched: what found no partner.
        arguments: options by name; what JSON does not know is written as text.
        versions: of what the figures depend on; None for what is not installed.

    Raises:
        ValueError: if there is no run, or two parts of the protocol have one name.
    """

    title: str
    protocol: tuple[tuple[str, str], ...]
    counts: Mapping[str, int]
    runs: tuple[EvaluationRun, ...]
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("a report has at least one run")
        if len(dict(self.protocol)) != len(self.protocol):
            raise ValueError("two parts of the protocol have one name")


def _require_finite(what: str, values: Iterable[float]) -> None:
    """Refuse NaN and infinity where they enter, not in one of the files."""
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{what}: NaN or infinity among its figures; leave out what was not computed")
