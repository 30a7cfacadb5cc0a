from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set, write_kaggle
from wsloc.errors import DataError, MapError, OutputError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.run_keys import BoxRule
from wsloc.evaluator import evaluate_localization, evaluate_maps, evaluate_predictions
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load
from wsloc.metrics.localization import best_iou
from wsloc.outputs.report_records import ChosenOn
from wsloc.request import Request
from wsloc.runner import RunOptions, run_boxes

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from wsloc.localizer import Localizer


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return load("demo", device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data") / "val")


def test_live_figures_are_those_counted_by_hand(localizer: Localizer, data: Path) -> None:
    evaluation = evaluate_localization(localizer, None, Annotated(data), maps=["cam"], batch_size=3)
    samples = read_annotations(data)
    wrong_class, wrong_box, wrong_known = [], [], []
    for sample in samples:
        best = localizer.localize(data / "images" / sample.image, map="cam").predictions[0]
        known = localizer.localize(data / "images" / sample.image, map="cam", classes=sample.labels[0])
        overlap = best_iou([best.box], [[box for _, box in sample.boxes]])[0]
        wrong_class.append(best.class_id != sample.labels[0])
        wrong_box.append(best.class_id != sample.labels[0] or overlap < 0.5)
        overlap = best_iou([known.predictions[0].box], [[box for _, box in sample.boxes]])[0]
        wrong_known.append(overlap < 0.5)
    metrics = evaluation.report.runs[0].metrics
    assert metrics["top1_classification_error"] == pytest.approx(np.mean(wrong_class))
    assert metrics["top1_localization_error"] == pytest.approx(np.mean(wrong_box))
    assert metrics["gt_known_localization_error"] == pytest.approx(np.mean(wrong_known))
    assert 0 < metrics["max_box_acc"] <= 100
    assert metrics["top5_localization_error"] <= metrics["top1_localization_error"]


def test_boxes_are_of_maps_averaged_over_scales_and_mirror_images(data: Path) -> None:
    localizer = load("demo", device="cpu", scales=(1.25, 1), flip=True)
    evaluation = evaluate_localization(localizer, None, data, maps=["cam"], batch_size=3, threshold_step=0.5)
    (run,) = evaluation.scores.runs
    for row, sample in enumerate(read_annotations(data)):
        path = data / "images" / sample.image
        known = localizer.localize(path, map="cam", classes=sample.labels[0]).predictions[0]
        np.testing.assert_allclose(evaluation.scores.known[run][row], known.box, atol=1)
        best = localizer.localize(path, map="cam").predictions[0]
        assert evaluation.scores.guesses[run].labels[row, 0] == best.class_index


def test_several_maps_and_rules_take_one_pass_through_the_trunk(
    localizer: Localizer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    features = type(localizer.network).features

    def counted(network: object, images: object) -> object:
        passes.append(1)
        return features(network, images)  # type: ignore[arg-type]  # the same two

    monkeypatch.setattr(type(localizer.network), "features", counted)
    names = ["cam", "gradcam", "entropy-top5", "entropy-class"]
    rules = [BoxRule("mass", 0.98), BoxRule("mass", 0.9), BoxRule("threshold", 0.3)]
    report = evaluate_localization(
        localizer, None, Annotated(data), maps=names, rules=rules, batch_size=8, threshold_step=0.1
    ).report
    assert len(passes) == 1
    assert [run.label for run in report.runs] == [f"{name}, {rule.label}" for name in names for rule in rules]
    alone = evaluate_localization(
        localizer, None, Annotated(data), maps=["gradcam"], rules=rules[2:], batch_size=8, threshold_step=0.1
    ).report
    assert alone.runs[0].metrics == report.runs[5].metrics


def test_a_predictions_file_scores_as_the_live_run_that_wrote_it(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    live = evaluate_localization(localizer, None, Annotated(data), maps=["entropy-top5"], batch_size=8)
    request = Request(map="entropy-top5", classes=5)
    run_boxes(localizer, find_images([data / "images"]), request, RunOptions(tmp_path, overlays=False))
    scored = evaluate_predictions(tmp_path / "predictions.jsonl", Annotated(data)).report.runs[0].metrics
    for key in ("top1_localization_error", "top5_localization_error", "gt_known_localization_error"):
        assert scored[key] == live.report.runs[0].metrics[key]
    assert "max_box_acc" not in scored


def test_gt_known_is_absent_without_a_box_for_the_true_class(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    """One guess an image, of the class that is named: the true class is not in every line."""
    files = find_images([data / "images"])
    run_boxes(localizer, files, Request(map="cam", classes=(0,)), RunOptions(tmp_path, overlays=False))
    metrics = evaluate_predictions(tmp_path / "predictions.jsonl", Annotated(data)).report.runs[0].metrics
    assert "gt_known_localization_error" not in metrics
    assert "top5_classification_error" not in metrics
    assert metrics["top1_classification_error"] == 1 - 1 / 8


def test_map_files_score_as_the_live_run_that_wrote_them(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    live = evaluate_localization(
        localizer, None, Annotated(data), maps=["cam"], batch_size=8, threshold_step=0.05
    )
    samples = read_annotations(data)
    labels = {sample.image: (localizer.classes.ids.index(sample.labels[0]),) for sample in samples}
    options = RunOptions(tmp_path, formats=("npz",), overlays=False)
    run_boxes(localizer, find_images([data / "images"]), Request(map="cam", classes=labels), options)
    csv_path = tmp_path / "coco.json"
    boxes = [
        {"id": n + 1, "image_id": n, "category_id": int(labels[s.image][0]), "bbox": _xywh(s.boxes[0][1])}
        for n, s in enumerate(samples)
    ]
    images = [{"id": n, "file_name": s.image, "width": 80, "height": 64} for n, s in enumerate(samples)]
    names = [{"id": index, "name": name} for index, name in enumerate(localizer.classes.names)]
    csv_path.write_text(json.dumps({"images": images, "categories": names, "annotations": boxes}))
    scored = evaluate_maps(
        tmp_path / "maps", Annotated(csv_path), normalize=True, resize=True, threshold_step=0.05
    )
    metrics, expected = scored.report.runs[0].metrics, live.report.runs[0].metrics
    assert metrics["max_box_acc"] == pytest.approx(expected["max_box_acc"], abs=13)  # float16 files: an image
    assert metrics["max_box_acc_v2"] == pytest.approx(expected["max_box_acc_v2"], abs=13)
    with pytest.raises(MapError, match="--resize-maps"):
        evaluate_maps(tmp_path / "maps", Annotated(csv_path))


def _xywh(box: tuple[float, float, float, float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [x0, y0, x1 - x0, y1 - y0]


def test_failed_and_unmatched_images_are_counted(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    files = [data / "images" / f"{number}.png" for number in range(5)]
    files.append(tmp_path / "stranger.png")
    files[-1].write_bytes(files[0].read_bytes())
    broken = tmp_path / "7.png"
    broken.write_bytes(b"not an image")
    report = evaluate_localization(
        localizer, [*files, broken], Annotated(data), maps=["cam"], threshold_step=0.1
    ).report
    assert report.counts["annotated"] == 6
    assert [failure.image for failure in report.failures] == ["7.png"]
    assert {(side.count, side.first[0]) for side in report.unmatched} == {(1, "stranger.png"), (2, "5.png")}
    whole = evaluate_localization(localizer, files, Annotated(data), maps=["cam"], threshold_step=0.1).report
    wrong = whole.runs[0].metrics["gt_known_localization_error"] * 5
    assert report.runs[0].metrics["gt_known_localization_error"] == pytest.approx((wrong + 1) / 6)


def test_a_threshold_from_another_set_is_carried_over(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    other = write_data_set(tmp_path / "val", count=6, seed=9)
    report = evaluate_localization(
        localizer, None, Annotated(data), maps=["cam"], tune_on=Annotated(other), threshold_step=0.1
    ).report
    assert [run.box.split()[0] for run in report.runs] == ["threshold", "threshold"]
    assert report.runs[1].box.endswith(", tuned")
    chosen = [run.thresholds["gt_known_localization_error"].chosen_on.value for run in report.runs]
    assert chosen == ["nothing", "tuning-set"]
    assert report.runs[0].thresholds["max_box_acc"].chosen_on.used_ground_truth
    curve = report.runs[0].curves["max_box_acc"]
    assert report.runs[0].metrics["box_acc_tuned"] in curve.percent["0.5"]
    assert report.runs[0].thresholds["box_acc_tuned"].chosen_on is ChosenOn.TUNING_SET


def test_a_set_tuned_on_itself_says_so(localizer: Localizer, data: Path) -> None:
    """The best value for the very boxes that are scored: no given one does better, and the sign is that of cheating."""
    given = [BoxRule("threshold", value) for value in (0.1, 0.2, 0.5, 0.8)] + [BoxRule("mass", 0.7)]
    annotated = Annotated(data)
    report = evaluate_localization(
        localizer, None, annotated, maps=["cam"], rules=given, tune_on=annotated, threshold_step=0.1
    ).report
    key = "gt_known_localization_error"
    assert len(report.runs) == len(given) + 2
    for tuned, kind in zip(report.runs[-2:], ("threshold", "mass"), strict=True):
        assert tuned.box.startswith(kind)
        assert tuned.box.endswith(", tuned")
        others = [run.metrics[key] for run in report.runs if run.box.startswith(kind)]
        assert tuned.metrics[key] == min(others)
        assert tuned.thresholds[key].chosen_on is ChosenOn.SCORED_SET
    assert report.runs[0].metrics["box_acc_tuned"] == report.runs[0].metrics["max_box_acc"]


def test_the_files_of_a_report(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    evaluation = evaluate_localization(
        localizer, None, Annotated(data), maps=["cam", "entropy-class"], threshold_step=0.1, ten_crop=True
    )
    evaluation.write(tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["schema_version"] == 1
    assert len(content["runs"]) == 2
    assert content["metrics"] == content["runs"][0]["metrics"]
    assert "ten_crop_top1_classification_error" in content["metrics"]
    assert len(content["curves"]["max_box_acc"]["thresholds"]) == 10
    with (tmp_path / "images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["image"] for row in rows] == [f"{number}.png" for number in range(8)]
    page = (tmp_path / "report.html").read_text()
    assert "MaxBoxAcc" in page
    assert "data:image/jpeg;base64" in page


def test_an_earlier_report_stays_whole_if_one_file_cannot_be_written(data: Path, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    for number in range(8):
        np.save(tmp_path / "maps" / f"{number}.npy", np.ones((224, 224), np.float32))
    evaluation = evaluate_maps(tmp_path / "maps", Annotated(data), threshold_step=0.5)
    out = tmp_path / "out"
    evaluation.write(out)
    for name in ("images.csv", "report.json"):
        (out / name).write_text("old")
    (out / "report.html").unlink()
    (out / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html"):
        evaluation.write(out)
    assert [(out / name).read_text() for name in ("images.csv", "report.json")] == ["old", "old"]
    assert len(list(out.iterdir())) == 3


def test_cases_are_pictures_where_the_annotations_name_none(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    csv_path = write_kaggle(tmp_path / "kaggle.csv", data)
    evaluation = evaluate_localization(
        localizer, [data / "images"], csv_path, maps=["cam"], threshold_step=0.1
    )
    evaluation.write(tmp_path)
    assert (tmp_path / "report.html").read_text().count("data:image/jpeg;base64") == 8


def test_a_blacklist_leaves_images_out_of_localization_alone(
    localizer: Localizer, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("0.png\n1.png\n")
    listed = evaluate_localization(
        localizer, None, Annotated(data, blacklist=tmp_path / "list.txt"), maps=["cam"], threshold_step=0.1
    )
    assert listed.report.counts["blacklisted"] == 2
    assert sum(listed.report.runs[0].iou_histogram or ()) == 6
    errors = next(iter(listed.figures.values())).by_image
    assert errors["top1_classification_error"][1].sum() == 8
    assert errors["top1_localization_error"][1].sum() == 6


def test_what_cannot_be_scored_is_one_clear_error(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        evaluate_localization(localizer, None, Annotated(tmp_path / "nowhere"))
    (tmp_path / "val_annotations.txt").write_text("0.png\tunicorn\t0\t0\t5\t5\n")
    with pytest.raises(DataError, match="unicorn"):
        evaluate_localization(localizer, [data / "images"], tmp_path)


def test_maps_of_pictures_whose_annotations_carry_no_sizes(data: Path, tmp_path: Path) -> None:
    for number in range(8):
        np.save(tmp_path / f"{number}.npy", np.ones((224, 224), np.float32))
    report = evaluate_maps(tmp_path, Annotated(data), threshold_step=0.5).report
    assert report.counts["annotated"] == 8
    assert "max_box_acc" in report.runs[0].metrics


def test_ten_crops_run_once_for_each_way_of_pooling(
    localizer: Localizer, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled = []
    logits = type(localizer).logits

    def counted(self: Localizer, pixels: Tensor, *, entropy_pooled: bool = False) -> Tensor:
        pooled.append(entropy_pooled)
        return logits(self, pixels, entropy_pooled=entropy_pooled)

    monkeypatch.setattr(type(localizer), "logits", counted)
    names = ["cam", "gradcam", "entropy-top5", "entropy-class"]
    evaluation = evaluate_localization(
        localizer, None, data, maps=names, ten_crop=True, batch_size=80, threshold_step=0.5
    )
    assert pooled == [False, True]
    assert set(evaluation.scores.ten_crop) == set(names)
