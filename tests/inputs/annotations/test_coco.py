"""COCO's JSON: x, y, width, height, crowds left out, nothing said on stdout, every malformed entry named."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import coco
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

CONTENT: dict[str, Any] = {
    "images": [
        {"id": 9, "file_name": "val/é.jpg", "width": 640, "height": 480},
        {"id": 3, "file_name": "b.jpg"},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 18, "bbox": [10.5, 20, 100.25, 50], "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [-0.25, 0, 640.25, 480]},
        {"id": 3, "image_id": 9, "category_id": 1, "bbox": [0, 0, 9, 0]},
        {"id": 4, "image_id": 3, "category_id": 1, "iscrowd": 1},
    ],
}


def written(folder: Path, content: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def test_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, CONTENT)
    assert coco.matches(path)
    boxes = (("dog", (10.5, 20, 110.75, 70)), ("person", (0, 0, 640, 480)))
    assert coco.read(path) == [
        Sample("val/é.jpg", None, ("dog", "person"), (480, 640), boxes),
        Sample("b.jpg", None, ()),
    ]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("part", "number", "change", "reason"),
    [
        ("images", 0, {"file_name": None}, r"images\[0\]: it has no file_name"),
        ("images", 1, {"id": [3]}, r"images\[1\]: it has no id"),
        ("images", 1, {"id": 9}, "two entries of `images` have the same id"),
        ("images", 1, {"file_name": "val/é.jpg"}, "two images are called val/é"),
        ("images", 0, {"width": 0}, "image 9: width 0 and height 480 are not"),
        ("images", 0, {"height": None}, "image 9: width 640 and height None are not"),
        ("categories", 1, {"name": None}, r"categories\[1\]: it has no name"),
        ("annotations", 0, {"image_id": None}, r"annotations\[0\]: it has no image_id"),
        ("annotations", 1, {"category_id": None}, r"annotations\[1\]: it has no category_id"),
        ("annotations", 0, {"image_id": 4}, "annotation 1: its image_id 4 is not among `images`"),
        ("annotations", 1, {"category_id": 4}, "annotation 2: its category_id 4 is not among `categories`"),
        ("annotations", 0, {"bbox": None}, "annotation 1: it has no bbox of 4 numbers"),
        ("annotations", 0, {"bbox": [1, 2, 3]}, "annotation 1: it has no bbox of 4 numbers"),
        ("annotations", 0, {"bbox": [1, 2, 3, "4"]}, "annotation 1: it has no bbox of 4 numbers"),
        ("annotations", 0, {"bbox": [1, 2, -3, 4]}, "annotation 1: the box `1 2 -3 4` has a negative extent"),
        ("annotations", 0, {"bbox": [1, 2, float("nan"), 4]}, "annotation 1: the box .* not finite"),
        ("annotations", 0, {"bbox": [1, float("inf"), 3, 4]}, "annotation 1: the box .* not finite"),
        ("annotations", 0, {"bbox": [600, 2, 50, 4]}, "annotation 1: .* reaches out of the image .640 x 480"),
        ("annotations", 0, {"bbox": [-2, 2, 50, 4]}, "annotation 1: .* reaches out of the image"),
    ],
)
def test_malformed_entries(
    tmp_path: Path, part: str, number: int, change: dict[str, Any], reason: str
) -> None:
    content = copy.deepcopy(CONTENT)
    content[part][number].update(change)
    with pytest.raises(DataError, match=rf"instances\.json: {reason}"):
        coco.read(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "a list `images` is expected in it"),
        ({"images": {}}, "a list `images` is expected in it"),
        ({"images": [7]}, r"images\[0\]: it has no id"),
        ({**CONTENT, "annotations": None}, "a list `annotations` is expected in it"),
        ({**CONTENT, "images": [], "annotations": []}, "holds no images"),
    ],
)
def test_other_json(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(DataError, match=rf"instances\.json: .*{reason}"):
        coco.read(written(tmp_path, content))


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    assert not coco.matches(path)
    assert not coco.matches(tmp_path)
    with pytest.raises(DataError, match=r"cannot read .*instances\.json: No such file"):
        coco.read(path)
    for text, reason in (('{\n"images": [,]}', r":2: no JSON"), ("[" * 100_000, "nested too deeply")):
        path.write_text(text)
        with pytest.raises(DataError, match=rf"instances\.json.*{reason}"):
            coco.read(path)
    path.write_bytes(b"\xff{}")
    with pytest.raises(DataError, match="it is no UTF-8 text"):
        coco.read(path)


@pytest.mark.parametrize(
    ("digits", "reason"),
    [
        (400, "annotation 1: its bbox holds a number beyond any image"),
        (5000, "a number of thousands of digits"),
    ],
)
def test_numbers_beyond_all_images(tmp_path: Path, digits: int, reason: str) -> None:
    path = written(tmp_path, CONTENT)
    path.write_text(path.read_text(encoding="utf-8").replace("100.25", "9" * digits), encoding="utf-8")
    with pytest.raises(DataError, match=rf"instances\.json: .*{reason}"):
        coco.read(path)
