"""report.json: an evaluation for programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from wsloc.errors import OutputError
from wsloc.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from wsloc.outputs.report_records import ClassFigures, Curve, EvaluationRun, Report, SizeBin

SCHEMA_VERSION = 1
# Line feeds inside JSON's strings are escaped, so that this cannot match in one.
_NUMBERS = re.compile(r"\[\n\s+(-?\d[^\"\[\]{}]*?)\n\s+\]")


def write_report_json(report: Report, folder: Path) -> Path:
    """Write `folder/report.json`, whole or not at all, and return its path.

    Raises:
        OutputError: if the file cannot be written, or an argument is NaN or infinite.
    """
    path = folder / "report.json"
    content = report_values(report)
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2, default=str)
    except ValueError as error:
        raise OutputError(f"cannot write {path}: NaN or infinity among its values") from error
    if any("\ud800" <= character <= "\udfff" for character in text):  # a file name that is no UTF-8
        text = json.dumps(content, allow_nan=False, indent=2, default=str)
    write_text(path, _NUMBERS.sub(_on_one_line, text) + "\n")
    return path


def report_values(report: Report) -> dict[str, Any]:
    """What report.json says, as plain values; the first run on top, and under `runs` if there are several."""
    runs = [_run(run) for run in report.runs]
    return {
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "protocol": dict(report.protocol),
        "images": {key: int(count) for key, count in report.counts.items()},
        **runs[0],
        **({"runs": runs} if len(runs) > 1 else {}),
        "notes": list(report.notes),
        "failures": [{"image": failure.image, "error": failure.error} for failure in report.failures],
        "unmatched": [
            {"words": side.words, "count": side.count, "first": list(side.first)} for side in report.unmatched
        ],
        "arguments": dict(report.arguments),
        "versions": dict(report.versions),
    }


def _run(run: EvaluationRun) -> dict[str, Any]:
    """One run; parts that were not computed are left out, aside from `metrics` and `curves`."""
    parts: dict[str, Any] = {
        "intervals": {key: [float(end) for end in ends] for key, ends in run.intervals.items()},
        "thresholds": {
            key: {
                "chosen_on": threshold.chosen_on.value,
                "used_ground_truth": threshold.chosen_on.used_ground_truth,
                "words": threshold.words,
            }
            for key, threshold in run.thresholds.items()
        },
        "iou_histogram": [int(count) for count in run.iou_histogram or ()],
        "per_class": [
            {"class_id": row.class_id, "class_name": row.class_name, **_scored(row)} for row in run.per_class
        ],
        "size_bins": [{"label": row.label, **_scored(row)} for row in run.size_bins],
    }
    return {
        "map": run.map,
        "box": run.box,
        "metrics": _floats(run.metrics),
        "curves": {key: _curve(curve) for key, curve in run.curves.items()},
        **{key: part for key, part in parts.items() if part},
    }


def _scored(row: ClassFigures | SizeBin) -> dict[str, Any]:
    """How many images, and their figures."""
    return {"images": int(row.images), "metrics": _floats(row.metrics)}


def _floats(metrics: Mapping[str, float]) -> dict[str, float]:
    """Python's own numbers: NumPy's would be written as text."""
    return {key: float(value) for key, value in metrics.items()}


def _curve(curve: Curve) -> dict[str, list[float]]:
    """Thresholds (0-1) and, by IoU, percent."""
    rows = {"thresholds": curve.thresholds, **curve.percent}
    return {key: [float(value) for value in row] for key, row in rows.items()}


def _on_one_line(match: re.Match[str]) -> str:
    """A list of numbers, one a line, on one line."""
    return "[" + re.sub(r",\n\s+", ", ", match[1]) + "]"
