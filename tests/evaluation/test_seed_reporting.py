from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.evaluation.example_seeds import CLASSES, scored
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.seed_reporting import SeedEvaluation, seed_evaluation_of
from wsloc.inputs.annotations.matching import Matching


def evaluated(folder: Path) -> SeedEvaluation:
    return seed_evaluation_of(
        scored(folder),
        CLASSES,
        "seeds",
        Annotated(Path("somewhere/voc")),
        matchings=[Matching((), ("c",), ("d.png",), "seeds")],
        arguments={"seeds": "seeds"},
        notes=["first of all"],
    )


def test_figures_by_hand(tmp_path: Path) -> None:
    report = evaluated(tmp_path).report
    (run,) = report.runs
    # Background 3 of 3 + 2, cat 4 of 6, dog 1 of 4; the cow is nowhere.
    assert run.metrics == pytest.approx(
        {
            "miou": 100 * (3 / 5 + 4 / 6 + 1 / 4) / 3,
            "mask_precision": 100 * (3 / 4 + 1 + 1 / 2) / 3,
            "mask_recall": 100 * (3 / 4 + 4 / 6 + 1 / 3) / 3,
            "miou_labelled": 100 * (3 / 4 + 4 / 5 + 1 / 3) / 3,
            "coverage": 100 * 10 / 13,
        }
    )
    assert [(row.class_name, row.images) for row in run.per_class] == [
        ("background", 3),
        ("cat", 2),
        ("dog", 2),
    ]
    assert run.per_class[1].metrics == pytest.approx(
        {"class_iou": 100 * 4 / 6, "mask_precision": 100, "mask_recall": 100 * 4 / 6}
    )


def test_what_was_not_scored_is_said(tmp_path: Path) -> None:
    report = evaluated(tmp_path).report
    assert report.counts == {"annotated": 3, "failed": 1}
    assert report.notes == (
        "first of all",
        "1 annotated but not among the seeds: c",
        "1 among the seeds but not annotated: d.png",
        "classes without a pixel on either side, absent from the means (1): cow",
    )
    assert "not comparable" in dict(report.protocol)["Comparison"]
    assert [(side.count, side.first) for side in report.unmatched] == [(1, ("c",)), (1, ("d.png",))]


def test_the_files(tmp_path: Path) -> None:
    evaluated(tmp_path).write(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "images.csv",
        "report.html",
        "report.json",
    }
    content = json.loads((tmp_path / "out/report.json").read_text())
    assert content["map"] == "seeds"
    assert content["per_class"][0]["class_name"] == "background"
    with (tmp_path / "out/images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["image"], row["class_id"], row["error"]) for row in rows] == [
        ("a", "n1", ""),
        ("b", "n1", ""),
        ("b", "n2", ""),
        ("c", "", "c: has no seeds"),
    ]
    assert float(rows[0]["iou"]) == 3 / 4
    assert "Best, median and worst cases" in (tmp_path / "out/report.html").read_text()
