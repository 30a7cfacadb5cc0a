import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.outputs import report_examples as examples
from wsloc.errors import OutputError
from wsloc.outputs.report_json import report_values, write_report_json
from wsloc.outputs.report_records import ClassFigures, Report
from wsloc.records import Failure


def written(report: Report, folder: Path) -> dict[str, Any]:
    path = write_report_json(report, folder)
    assert path == folder / "report.json"
    values = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert isinstance(values, dict)
    return values


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    report = examples.report()
    values = written(report, tmp_path / "new")
    assert values == report_values(report)
    assert values["schema_version"] == 1
    assert values["protocol"] == dict(report.protocol)
    assert values["images"] == {"annotated": 1000, "scored": 998, "failed": 2}
    assert values["metrics"] == examples.METRICS
    assert values["failures"][0] == {"image": "bad.jpg", "error": "is truncated"}
    assert values["unmatched"] == [
        {"words": "images without annotation", "count": 12, "first": ["x.jpg", "y.jpg"]}
    ]
    assert values["versions"] == {"wsloc": "0.1.0", "safetensors": None}


def test_the_curves_are_those_of_the_contract(tmp_path: Path) -> None:
    curves = written(examples.report(), tmp_path)["curves"]
    assert list(curves) == ["max_box_acc", "max_box_acc_multi"]
    expected = examples.curve()
    for curve in curves.values():
        assert list(curve) == ["thresholds", "0.3", "0.5", "0.7"]
        assert curve["thresholds"] == list(expected.thresholds)
    assert curves["max_box_acc"]["0.5"] == list(expected.percent["0.5"])


def test_a_threshold_tells_whether_it_saw_ground_truth(tmp_path: Path) -> None:
    thresholds = written(examples.report(), tmp_path)["thresholds"]
    assert thresholds["gt_known_localization_error"] == {
        "chosen_on": "nothing",
        "used_ground_truth": False,
        "words": "0.98 of the mass, given",
    }
    assert thresholds["max_box_acc"]["used_ground_truth"] is True
    assert "top1_classification_error" not in thresholds


def test_one_run_stands_on_top_alone(tmp_path: Path) -> None:
    assert "runs" not in written(examples.report(), tmp_path)


def test_of_several_runs_the_first_is_also_on_top(tmp_path: Path) -> None:
    other = examples.run("cam", "threshold 0.2", metrics={"px_ap": 50.5}, per_class=(), size_bins=())
    values = written(examples.report(examples.run(), other), tmp_path)
    first, second = values["runs"]
    assert {key: values[key] for key in first} == first
    assert (first["map"], first["box"]) == ("entropy-class", "mass 0.98")
    assert (second["map"], second["box"], second["metrics"]) == ("cam", "threshold 0.2", {"px_ap": 50.5})
    assert first["per_class"][0] == {
        "class_id": "n01443537",
        "class_name": "goldfish",
        "images": 50,
        "metrics": {"gt_known_localization_error": 0.25},
    }
    assert first["size_bins"][0]["label"] == "up to 10 % of the image"
    assert first["intervals"]["max_box_acc"] == [61.5, 65.0]


def test_what_was_not_computed_is_absent(tmp_path: Path) -> None:
    bare = examples.run(
        metrics={"miou": 40.0},
        intervals={},
        thresholds={},
        curves={},
        iou_histogram=None,
        per_class=(),
        size_bins=(),
        cases=(),
    )
    values = written(examples.report(bare), tmp_path)
    assert (values["metrics"], values["curves"]) == ({"miou": 40.0}, {})
    assert not {"intervals", "thresholds", "iou_histogram", "per_class", "size_bins", "runs"} & set(values)


def test_numpy_numbers_are_written_as_numbers(tmp_path: Path) -> None:
    half: Any = np.float32(0.5)
    count: Any = np.int64(7)
    row = ClassFigures("n1", "tench", count, {"mean_iou": half})
    run = examples.run(metrics={"px_ap": np.float32(58.5)}, per_class=(row,))
    values = written(examples.report(run, counts={"scored": np.int64(3)}), tmp_path)
    assert (values["metrics"], values["images"]) == ({"px_ap": 58.5}, {"scored": 3})
    assert values["per_class"][0]["images"] == 7
    assert values["per_class"][0]["metrics"] == {"mean_iou": 0.5}


def test_numbers_of_a_list_share_a_line_and_words_are_left_alone(tmp_path: Path) -> None:
    odd = "[\n  1,\n  2\n]"
    path = write_report_json(examples.report(notes=(odd,)), tmp_path)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["notes"] == [odd]
    assert '"max_box_acc": [61.5, 65.0]' in text
    assert len(text.splitlines()) < 200


def test_paths_and_names_that_are_no_utf8_are_written(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    report = examples.report(failures=(Failure(name, "ä"),), arguments={"annotations": Path("a/ü")})
    values = written(report, tmp_path)
    assert values["failures"] == [{"image": name, "error": "ä"}]
    assert values["arguments"] == {"annotations": str(Path("a/ü"))}


def test_nan_is_refused_and_the_old_report_stays(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    with pytest.raises(OutputError, match=r"report\.json"):
        write_report_json(examples.report(arguments={"mass": float("nan")}), tmp_path)
    assert (tmp_path / "report.json").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
