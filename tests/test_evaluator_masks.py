"""Seeds, map files and live maps against masks: three ways to one mean IoU."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.evaluation.example_data_set import write_data_set, write_mask_set
from tests.reference import segmentation_literal
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.run_keys import BoxRule
from wsloc.evaluator import evaluate_localization, evaluate_maps, evaluate_seeds
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.masks import read_mask
from wsloc.loader import load
from wsloc.outputs.report_records import ChosenOn
from wsloc.records import ImageFile
from wsloc.request import Request
from wsloc.runner import RunOptions, run_boxes

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.localizer import Localizer

COUNT, STEP = 4, 0.1


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return load("demo", device="cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mask_set(tmp_path_factory.mktemp("data") / "scenes", COUNT)


@pytest.fixture(scope="module")
def maps(localizer: Localizer, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `wsloc boxes --labels ... --map cam --format npz` writes for the images' own labels."""
    folder = tmp_path_factory.mktemp("boxes")
    samples = read_annotations(data)
    classes = {
        sample.image: tuple(
            localizer.classes.ids.index(label) for label in sample.labels if label != "stranger"
        )
        for sample in samples
    }
    files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
    options = RunOptions(folder, formats=("npz",), overlays=False)
    run_boxes(localizer, files, Request(map="cam", classes=classes), options)
    return folder / "maps"


@pytest.fixture(scope="module")
def seeds(localizer: Localizer, maps: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Index PNGs of the pixels above 0.2 of the maximum, numbered by class index + 1."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "png").mkdir()
    for path in maps.iterdir():
        with np.load(path) as archive:
            cells = [cv2.resize(cells.astype(np.float32), (80, 64)) for cells in archive["maps"]]
            scores = np.stack([cells / cells.max() for cells in cells])
            numbers = archive["class_index"] + 1
        values = np.where(scores.max(axis=0) > 0.2, numbers[scores.argmax(axis=0)], 0).astype(np.uint8)
        Image.fromarray(values).save(folder / "png" / path.name.replace(".jpg.npz", ".png"))
    classes = [{"value": index + 1, "class_id": name} for index, name in enumerate(localizer.classes.ids)]
    (folder / "classes.json").write_text(json.dumps({"classes": classes}))
    return folder


def test_seeds_are_scored_as_the_literal_reference_does(
    localizer: Localizer, data: Path, seeds: Path
) -> None:
    evaluation = evaluate_seeds(seeds, Annotated(data))
    run, report = evaluation.report.runs[0], evaluation.report
    ids = localizer.classes.ids
    truths, masks = [], []
    for sample in read_annotations(data):
        values = read_mask(sample.masks[0])
        numbers = {value: ids.index(label) + 1 for value, label in sample.mask_labels if label in ids}
        renumbered = np.array([numbers.get(value, 255 if value == 255 else 0) for value in range(256)])
        truths.append(renumbered[values])
        masks.append(read_mask(seeds / "png" / sample.masks[0].name))
    assert run.metrics["miou"] == pytest.approx(segmentation_literal.miou(truths, masks, len(ids)))
    assert run.metrics["coverage"] == 100
    assert run.metrics["miou_labelled"] == run.metrics["miou"]
    assert report.counts == {"annotated": COUNT, "failed": 0}
    assert report.notes[0] == (
        "classes of the annotations that the seeds lack, they count as background (1): stranger"
    )
    assert {case.kind for case in run.cases} == {"best", "median", "worst"}


def test_seeds_and_the_network_agree(localizer: Localizer, data: Path, seeds: Path) -> None:
    of_seeds = evaluate_seeds(seeds, Annotated(data)).report.runs[0]
    live = evaluate_localization(localizer, None, data, maps=["cam"], threshold_step=STEP).report
    run = live.runs[0]
    assert run.metrics["miou"] == pytest.approx(of_seeds.metrics["miou"], abs=0.1)  # the archive's float16
    assert 10 < run.metrics["miou"] <= run.metrics["best_miou"] < 100
    assert run.thresholds["miou"].words == "scores above 0.2 of the maximum"
    assert len(run.curves["miou"].thresholds) == 10
    assert live.notes[0] == "classes of the annotations that count as background (1): stranger"
    assert "not comparable" in dict(live.protocol)["Mean IoU"]
    assert run.per_class[0].class_name == "background"


def test_map_files_and_the_network_agree(localizer: Localizer, data: Path, maps: Path) -> None:
    rules = [BoxRule("threshold", 0.35), BoxRule("mass", 0.9)]
    names = tuple(localizer.classes.ids)
    shown = {label for sample in read_annotations(data) for label in sample.labels}
    classes = tuple(name for name in names if name in shown)
    report = evaluate_maps(maps, Annotated(data, classes=classes), rules=rules, threshold_step=STEP).report
    live = evaluate_localization(localizer, None, data, maps=["cam"], rules=rules, threshold_step=STEP).report
    for found, expected in zip(report.runs, live.runs, strict=True):
        for key in ("miou", "best_miou", "mask_precision", "mask_recall"):
            assert found.metrics[key] == pytest.approx(expected.metrics[key], abs=0.2)
    assert report.failures == ()
    assert report.runs[0].thresholds["miou"].words == "scores above 0.35 of the maximum"


def test_maps_that_lack_a_class_fail_where_it_is_not_left_out(data: Path, maps: Path) -> None:
    report = evaluate_maps(maps, Annotated(data), threshold_step=STEP).report
    assert len(report.failures) == COUNT
    assert "holds no map of class stranger" in report.failures[0].error
    assert "miou" not in report.runs[0].metrics


def test_one_map_for_several_classes_gives_no_mean_iou(data: Path, tmp_path: Path) -> None:
    for number in range(COUNT):
        np.save(tmp_path / f"{number}.npy", np.random.default_rng(number).random((16, 20)))
    report = evaluate_maps(tmp_path, Annotated(data), threshold_step=STEP).report
    assert "miou" not in report.runs[0].metrics
    assert any("0.npy holds one map for the 3 classes of its image" in note for note in report.notes)


def test_missing_and_damaged_seeds_are_counted(data: Path, seeds: Path, tmp_path: Path) -> None:
    for path in (seeds / "png").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "classes.json").write_text((seeds / "classes.json").read_text())
    (tmp_path / "0.png").unlink()
    Image.fromarray(np.zeros((64, 79), np.uint8)).save(tmp_path / "1.png")
    Image.fromarray(np.full((64, 80), 99, np.uint8)).save(tmp_path / "2.png")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(tmp_path / "stranger.png")
    report = evaluate_seeds(tmp_path, Annotated(data)).report
    assert [failure.image for failure in report.failures] == ["0.jpg", "1.jpg", "2.jpg"]
    for failure, words in zip(
        report.failures,
        ("has no seeds", "79 x 64 pixels, and its true mask has 80 x 64", "value 99"),
        strict=True,
    ):
        assert words in failure.error
    assert report.counts == {"annotated": COUNT, "failed": 3}
    assert 20 < report.runs[0].metrics["coverage"] < 30
    assert "1 annotated but not among the seeds: 0.jpg" in report.notes
    assert "1 among the seeds but not annotated: stranger.png" in report.notes


def test_true_masks_are_perfect_seeds_in_their_own_numbering(data: Path) -> None:
    report = evaluate_seeds(data / "masks", Annotated(data / "list.txt")).report
    assert report.runs[0].metrics["miou"] == 100
    assert report.counts["annotated"] == 2
    assert "they are taken for those of the true masks" in report.notes[0]
    assert [row.class_name for row in report.runs[0].per_class][-1] == "stranger"


def test_a_tuning_set_chooses_the_threshold(localizer: Localizer, data: Path, tmp_path: Path) -> None:
    other = Annotated(write_mask_set(tmp_path / "other", 3, seed=5))
    report = evaluate_localization(
        localizer, None, data, maps=["cam"], tune_on=other, threshold_step=STEP
    ).report
    (run,) = report.runs  # no boxes: no rule of theirs to be tuned
    tuned = evaluate_localization(localizer, None, other, maps=["cam"], threshold_step=STEP).report.runs[0]
    threshold, _ = tuned.curves["miou"].best("miou")
    place = run.curves["miou"].thresholds.index(threshold)
    assert run.metrics["miou_tuned"] == run.curves["miou"].percent["miou"][place]
    assert run.thresholds["miou_tuned"].chosen_on is ChosenOn.TUNING_SET


def test_what_cannot_be_scored_is_refused(
    localizer: Localizer, data: Path, seeds: Path, tmp_path: Path
) -> None:
    boxed = write_data_set(tmp_path / "val", count=2)
    with pytest.raises(DataError, match="val: its annotations have no masks of classes: name VOC's kit"):
        evaluate_seeds(seeds, Annotated(boxed))
    with pytest.raises(DataError, match="no image is labelled goldfish: its labels are"):
        evaluate_seeds(seeds, Annotated(data, classes=("goldfish",)))
    with pytest.raises(DataError, match=r"its classes \(stranger\) and the network's .* have none in common"):
        evaluate_localization(localizer, None, Annotated(data, classes=("stranger",)), maps=["cam"])
    for path in (data / "masks").iterdir():
        Image.fromarray(np.zeros((3, 3), np.uint8)).save(tmp_path / path.name)
    with pytest.raises(DataError, match=r"0\.png: 3 x 3 pixels.* \(all 4 images have failed\)"):
        evaluate_seeds(tmp_path, Annotated(data))


def test_images_of_other_classes_are_left_out_unless_they_have_seeds(data: Path, tmp_path: Path) -> None:
    samples = read_annotations(data)
    one = samples[0].labels[0]
    value = next(value for value, label in samples[0].mask_labels if label == one)
    (tmp_path / "classes.json").write_text(json.dumps({"classes": [{"value": 1, "class_id": one}]}))
    with_it = [sample for sample in samples if one in sample.labels]
    assert len(with_it) < COUNT
    for sample in [*with_it, next(sample for sample in samples if one not in sample.labels)]:
        found = (read_mask(sample.masks[0]) == value).astype(np.uint8)
        Image.fromarray(found).save(tmp_path / sample.masks[0].name)
    report = evaluate_seeds(tmp_path, Annotated(data)).report
    assert report.counts == {"annotated": len(with_it) + 1, "failed": 0}
    assert report.runs[0].metrics["miou"] == 100
    assert any("show no class of the seeds, have no seeds, and are left out" in note for note in report.notes)


def test_a_kit_of_vocs_with_boxes_and_masks(data: Path, localizer: Localizer, tmp_path: Path) -> None:
    """Boxes and masks at once; the image without a mask has figures of boxes alone."""
    for name in ("Annotations", "JPEGImages", "SegmentationClass"):
        (tmp_path / name).mkdir()
    (tmp_path / "classes.json").write_text((data / "classes.json").read_text())
    for number, sample in enumerate(read_annotations(data)):
        assert sample.path is not None
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>60</xmax><ymax>60</ymax></bndbox>"
            "</object>"
            for label in sample.labels
        )
        size = "<size><width>80</width><height>64</height></size>"
        text = f"<annotation><filename>{number}.jpg</filename>{size}{objects}</annotation>"
        (tmp_path / f"Annotations/{number}.xml").write_text(text)
        (tmp_path / f"JPEGImages/{number}.jpg").write_bytes(sample.path.read_bytes())
        if number:
            (tmp_path / f"SegmentationClass/{number}.png").write_bytes(sample.masks[0].read_bytes())
    report = evaluate_localization(localizer, None, tmp_path, maps=["cam"], threshold_step=STEP).report
    (run,) = report.runs
    assert {"gt_known_localization_error", "max_box_acc", "miou", "best_miou"} <= run.metrics.keys()
    assert "px_ap" not in run.metrics
    assert run.per_class[0].images == COUNT - 1
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "rest.txt").write_text("1\n2\n3\n")
    rest = evaluate_localization(
        localizer, None, lists / "rest.txt", maps=["cam"], threshold_step=STEP
    ).report
    assert rest.runs[0].metrics["miou"] == run.metrics["miou"]
