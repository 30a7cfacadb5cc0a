"""Reports to write: everything in them is made up, but of the shapes that an evaluation has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from wsloc.outputs.report_records import (
    IOU_KEYS,
    KINDS,
    Case,
    ChosenOn,
    ClassFigures,
    Curve,
    EvaluationRun,
    Report,
    SizeBin,
    Threshold,
    Unmatched,
)
from wsloc.records import Failure

if TYPE_CHECKING:
    from wsloc.outputs.report_records import Kind

METRICS = {
    "gt_known_localization_error": 0.4349,
    "top1_localization_error": 0.6021,
    "top1_classification_error": 0.3512,
    "max_box_acc": 63.25,
    "max_box_acc_v2": 61.5,
}
HOSTILE = '</style><script>alert("1")</script>&\'\u202e'


def curve(height: float = 60.0, count: int = 1000) -> Curve:
    """A hump for each IoU, the lower the stricter."""
    thresholds = np.arange(count) / count  # (count,)
    rows = {
        iou: tuple(
            (height * (1.35 - 0.7 * float(iou)) * np.exp(-(((thresholds - 0.25) / 0.3) ** 2))).tolist()
        )
        for iou in IOU_KEYS
    }
    return Curve(tuple(thresholds.tolist()), rows)


def case(kind: Kind = "best", **fields: Any) -> Case:
    """An image of 40 x 60 pixels with two true boxes."""
    picture = np.random.default_rng(len(kind)).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    defaults: dict[str, Any] = {
        "image": f"a/{kind}.jpg",
        "class_name": "goldfish",
        "iou": {"best": 0.97, "median": 0.55, "worst": 0.0}[kind],
        "image_size": (40, 60),
        "truth": ((5.0, 5.0, 25.0, 30.0), (30.0, 2.0, 60.0, 40.0)),
        "predicted": (6.0, 5.0, 26.0, 30.5),
        "picture": Image.fromarray(picture),
    }
    return Case(kind, **(defaults | fields))


def run(map_name: str = "entropy-class", box: str = "mass 0.98", **fields: Any) -> EvaluationRun:
    """A run with everything in it."""
    defaults: dict[str, Any] = {
        "metrics": METRICS,
        "intervals": {"gt_known_localization_error": (0.4187, 0.4512), "max_box_acc": (61.5, 65.0)},
        "thresholds": {
            "gt_known_localization_error": Threshold(ChosenOn.NOTHING, "0.98 of the mass, given"),
            "max_box_acc": Threshold(ChosenOn.SCORED_SET, "0.25, the best of 1,000"),
            "max_box_acc_v2": Threshold(ChosenOn.SCORED_SET, "one for each IoU"),
        },
        "curves": {"max_box_acc": curve(), "max_box_acc_multi": curve(65.0)},
        "iou_histogram": (40, 9, 11, 15, 18, 22, 25, 31, 40, 52, 60, 71, 80, 77, 66, 50, 33, 20, 8, 2),
        "per_class": (
            ClassFigures("n01443537", "goldfish", 50, {"gt_known_localization_error": 0.25}),
            ClassFigures(
                "n02823428", "beer bottle", 48, {"gt_known_localization_error": 0.5, "mean_iou": 0.512}
            ),
        ),
        "size_bins": (
            SizeBin("up to 10 % of the image", 120, {"gt_known_localization_error": 0.81}),
            SizeBin("10-50 % of the image", 700, {"gt_known_localization_error": 0.4}),
        ),
        "cases": tuple(case(kind) for kind in KINDS),
    }
    return EvaluationRun(map_name, box, **(defaults | fields))


def report(*runs: EvaluationRun, **fields: Any) -> Report:
    """A report of these runs, or of one."""
    defaults: dict[str, Any] = {
        "title": "Localization on a made-up set",
        "protocol": (
            ("Boxes", "half-open, in pixels of the upright image"),
            ("GT-known", "IoU of 0.5 or more"),
        ),
        "counts": {"annotated": 1000, "scored": 998, "failed": 2},
        "notes": ("Classes the network does not know: 3.",),
        "failures": (Failure("bad.jpg", "is truncated"), Failure("c/gone.jpg", "is missing")),
        "unmatched": (Unmatched("images without annotation", 12, ("x.jpg", "y.jpg")),),
        "arguments": {"map": ["entropy-class"], "mass": 0.98, "checkpoint": None},
        "versions": {"wsloc": "0.1.0", "safetensors": None},
    }
    return Report(runs=runs or (run(),), **(defaults | fields))
