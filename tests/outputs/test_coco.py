import json
import os
from pathlib import Path

import numpy as np
import pytest

from wsloc.outputs import coco
from wsloc.outputs.predictions import Records
from wsloc.records import Classes, Failure, Localization


def test_pycocotools_loads_it_and_the_boxes_come_back(
    records: Records, classes: Classes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO

    coco.write(records, classes, tmp_path)
    data = COCO(str(tmp_path / "coco.json"))
    capsys.readouterr()
    assert data.getImgIds() == [1, 2, 3]
    assert data.getCatIds() == [1, 2, 3, 4]
    assert [data.imgs[number]["file_name"] for number in (1, 2, 3)] == ["a/b.jpg", "empty.png", "c.jpg"]
    assert (data.imgs[1]["width"], data.imgs[1]["height"]) == (500, 375)
    expected = [
        (number, prediction.class_index + 1, prediction.box, prediction.probability)
        for number, record in enumerate((r for r in records() if isinstance(r, Localization)), start=1)
        for prediction in record.predictions
    ]
    annotations = data.loadAnns(data.getAnnIds())
    assert len(annotations) == len(expected) == 3
    for position, (found, wanted) in enumerate(zip(annotations, expected, strict=True), start=1):
        x, y, width, height = found["bbox"]
        assert found["id"] == position
        assert (found["image_id"], found["category_id"]) == wanted[:2]
        np.testing.assert_allclose((x, y, x + width, y + height), wanted[2], rtol=1e-12)
        assert found["area"] == pytest.approx(width * height)
        assert found["score"] == wanted[3]
        assert (found["iscrowd"], found["segmentation"]) == (0, [])


def test_pycocotools_scores_it_against_itself(
    records: Records, classes: Classes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco.write(records, classes, tmp_path)
    data = COCO(str(tmp_path / "coco.json"))
    scores = COCOeval(data, data.loadRes(data.loadAnns(data.getAnnIds())), "bbox")
    scores.evaluate()
    scores.accumulate()
    scores.summarize()
    capsys.readouterr()
    assert scores.stats[0] == pytest.approx(1)


def test_categories_are_all_classes_by_names_of_their_own(classes: Classes, tmp_path: Path) -> None:
    coco.write(lambda: iter(()), classes, tmp_path)
    data = json.loads((tmp_path / "coco.json").read_text())
    assert [category["name"] for category in data["categories"]] == [
        "tench",
        "goldfish",
        "crane (n02012849)",
        "crane (n03126707)",
    ]
    assert set(data) == {"info", "licenses", "categories", "images", "annotations"}
    assert data["images"] == data["annotations"] == []


def test_any_encoding_reads_any_name(tmp_path: Path, classes: Classes) -> None:
    names = ["金魚.jpg", os.fsdecode(b"caf\xe9.jpg")]
    found = [Localization(name, 1, 1, "cam", ()) for name in names]
    coco.write(lambda: iter([*found, Failure("x", "y")]), classes, tmp_path)
    content = json.loads((tmp_path / "coco.json").read_bytes().decode("ascii"))
    assert [image["file_name"] for image in content["images"]] == names
