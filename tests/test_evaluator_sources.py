"""Ready-made guesses and maps against annotations that call images and classes as they like."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluator import evaluate_localization, evaluate_maps, evaluate_predictions
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load
from wsloc.request import Request
from wsloc.runner import RunOptions, run_boxes

if TYPE_CHECKING:
    from wsloc.localizer import Localizer


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return load("demo", device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data") / "val")


@pytest.fixture(scope="module")
def boxes(localizer: Localizer, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `wsloc boxes --map cam --class top5 --format jsonl,csv,npz` wrote."""
    folder = tmp_path_factory.mktemp("boxes")
    options = RunOptions(folder, formats=("jsonl", "csv", "npz"), overlays=False)
    run_boxes(localizer, find_images([data / "images"]), Request(map="cam", classes=5), options)
    return folder


def write_wsol(folder: Path, data: Path, indices: dict[str, int]) -> Path:
    """The same annotations as WSOL metadata; corners there are inclusive."""
    folder.mkdir()
    samples = read_annotations(data)
    rows: dict[str, list[str]] = {
        "image_ids.txt": [],
        "class_labels.txt": [],
        "image_sizes.txt": [],
        "localization.txt": [],
    }
    for sample in samples:
        x0, y0, x1, y1 = (int(edge) for edge in sample.boxes[0][1])
        rows["image_ids.txt"].append(sample.image)
        rows["class_labels.txt"].append(f"{sample.image},{indices[sample.labels[0]]}")
        rows["image_sizes.txt"].append(f"{sample.image},80,64")
        rows["localization.txt"].append(f"{sample.image},{x0},{y0},{x1 - 1},{y1 - 1}")
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("name", ["predictions.jsonl", "predictions.csv"])
def test_integer_labels_are_the_indices_that_the_predictions_carry(
    localizer: Localizer, data: Path, boxes: Path, tmp_path: Path, name: str
) -> None:
    indices = {class_id: index for index, class_id in enumerate(localizer.classes.ids)}
    wsol = write_wsol(tmp_path / "wsol", data, indices)
    live = evaluate_localization(localizer, None, data, maps=["cam"]).report.runs[0].metrics
    scored = evaluate_predictions(boxes / name, Annotated(wsol)).report.runs[0]
    for key in ("top1_classification_error", "top1_localization_error", "top5_localization_error"):
        assert scored.metrics[key] == live[key]
    assert {row.class_name for row in scored.per_class} <= set(localizer.classes.names)


def test_integer_labels_choose_among_the_maps_of_an_npz(
    localizer: Localizer, data: Path, boxes: Path, tmp_path: Path
) -> None:
    indices = {class_id: index for index, class_id in enumerate(localizer.classes.ids)}
    wsol = write_wsol(tmp_path / "wsol", data, indices)
    report = evaluate_maps(boxes / "maps", Annotated(wsol), normalize=True, resize=True).report
    with_map = sum(
        sample.labels[0] in np.load(boxes / "maps" / f"{sample.image}.npz")["class_id"]
        for sample in read_annotations(data)
    )
    assert with_map > 0
    assert len(report.failures) == 8 - with_map
    assert {row.class_name for row in report.runs[0].per_class} <= {str(index) for index in range(8)}


def test_words_meet_the_names_that_the_predictions_carry(data: Path, boxes: Path, tmp_path: Path) -> None:
    own = evaluate_predictions(boxes / "predictions.jsonl", Annotated(data)).report.runs[0].metrics
    text = (boxes / "predictions.jsonl").read_text().replace('"class_id": "', '"class_id": "id-of-')
    (tmp_path / "ids.jsonl").write_text(text)
    rows = (data / "val_annotations.txt").read_text()
    (tmp_path / "val_annotations.txt").write_text(rows.upper().replace(".PNG", ".png"))
    in_words = evaluate_predictions(tmp_path / "ids.jsonl", Annotated(tmp_path)).report.runs[0].metrics
    assert json.loads(text.splitlines()[0])["predictions"][0]["class_id"].startswith("id-of-")
    assert in_words == own


def test_a_picture_of_another_size_fails_alone(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    indices = {class_id: index for index, class_id in enumerate(localizer.classes.ids)}
    wsol = write_wsol(tmp_path / "wsol", data, indices)
    text = (wsol / "image_sizes.txt").read_text()
    (wsol / "image_sizes.txt").write_text(text.replace("3.png,80,64", "3.png,81,64"))
    evaluation = evaluate_localization(localizer, [data / "images"], wsol, maps=["cam"], ten_crop=True)
    report = evaluation.report
    assert (evaluation.scores.ten_crop["cam"][:, 0] < 0).tolist() == [number == 3 for number in range(8)]
    assert [failure.image for failure in report.failures] == ["3.png"]
    assert "80 x 64 pixels, its annotation says 81 x 64" in report.failures[0].error
    (wsol / "image_sizes.txt").write_text(text.replace(",80,", ",81,"))
    with pytest.raises(DataError, match=r"another version of the picture \(and so are all 8\)"):
        evaluate_localization(localizer, [data / "images"], wsol, maps=["cam"])


def write_kaggle(path: Path, data: Path) -> Path:
    """The same annotations as a table, which carries neither sizes nor pictures."""
    rows = ["ImageId,PredictionString"]
    for sample in read_annotations(data):
        x0, y0, x1, y1 = (int(edge) for edge in sample.boxes[0][1])
        rows.append(f"{sample.image.removesuffix('.png')},{sample.labels[0]} {x0} {y0} {x1 - 1} {y1 - 1}")
    path.write_text("\n".join(rows) + "\n")
    return path


def write_maps(folder: Path, count: int = 8) -> Path:
    folder.mkdir()
    for number in range(count):
        np.save(folder / f"{number}.npy", np.ones((224, 224), np.float32))
    return folder


def test_pictures_give_maps_their_sizes_and_cases_something_to_show(data: Path, tmp_path: Path) -> None:
    truth = Annotated(write_kaggle(tmp_path / "LOC_val_solution.csv", data))
    maps = write_maps(tmp_path / "maps")
    with pytest.raises(DataError, match="name the pictures too"):
        evaluate_maps(maps, truth)
    report = evaluate_maps(maps, truth, images=[data / "images"], threshold_step=0.5).report
    assert report.failures == ()
    assert report.runs[0].metrics.keys() >= {"max_box_acc", "gt_known_localization_error"}
    assert all(case.path is not None for case in report.runs[0].cases)
    assert evaluate_maps(maps, Annotated(data), threshold_step=0.5).report.runs[0].metrics == (
        report.runs[0].metrics
    )


def test_a_picture_that_tells_no_size_fails_alone(data: Path, tmp_path: Path) -> None:
    truth = Annotated(write_kaggle(tmp_path / "LOC_val_solution.csv", data))
    maps = write_maps(tmp_path / "maps")
    (tmp_path / "images").mkdir()
    for number in range(7):  # the last one is not there
        content = b"broken" if number == 3 else (data / "images" / f"{number}.png").read_bytes()
        (tmp_path / "images" / f"{number}.png").write_bytes(content)
    report = evaluate_maps(maps, truth, images=[tmp_path / "images"], threshold_step=0.5).report
    assert [failure.image for failure in report.failures] == ["3", "7"]
    assert "3.png" in report.failures[0].error
    assert "size is not known" in report.failures[1].error


def test_map_files_that_match_nothing_are_counted_and_named(data: Path, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps", 7)
    np.save(maps / "stranger.npy", np.ones((224, 224), np.float32))
    report = evaluate_maps(maps, Annotated(data), threshold_step=0.5).report
    assert [(side.words, side.count, side.first) for side in report.unmatched] == [
        ("annotated but not among the maps", 1, ("7.png",)),
        ("among the maps but not annotated", 1, ("stranger.npy",)),
    ]
    assert "1 among the maps but not annotated: stranger.npy" in report.notes


def test_pictures_beside_predictions(data: Path, boxes: Path, tmp_path: Path) -> None:
    truth = Annotated(write_kaggle(tmp_path / "LOC_val_solution.csv", data))
    pictures = [data / "images"]
    run = evaluate_predictions(boxes / "predictions.csv", truth, images=pictures).report.runs[0]
    own = evaluate_predictions(boxes / "predictions.jsonl", truth).report.runs[0]
    assert run.metrics == own.metrics
    assert run.size_bins == own.size_bins  # which need sizes
    assert [case.path is None for case in own.cases] == [True] * len(own.cases)
    assert all(case.path is not None for case in run.cases)


def test_a_file_with_a_header_alone_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("image,class_id,x0,y0,x1,y1\n")
    with pytest.raises(DataError, match=r"predictions\.csv: holds no predictions"):
        evaluate_predictions(tmp_path / "predictions.csv", Annotated(data))


def test_a_blacklist_from_a_pipe_is_read_once(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    maps = write_maps(tmp_path / "maps")
    for number in range(2):
        reader, writer = os.pipe()
        os.write(writer, b"0.png\n1.png\n")
        os.close(writer)
        truth = Annotated(data, blacklist=Path(f"/dev/fd/{reader}"))
        try:
            report = (
                evaluate_localization(localizer, None, truth, maps=["cam"], threshold_step=0.5)
                if number
                else evaluate_maps(maps, truth, threshold_step=0.5)
            ).report
        finally:
            os.close(reader)
        assert report.counts["blacklisted"] == 2
