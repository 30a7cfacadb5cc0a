"""The WSOL benchmark's metadata: boxes or masks, and every malformed row named by its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import wsol
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXTS = {
    "image_ids.txt": "val/b.JPEG\nval/a.JPEG\n",
    "class_labels.txt": "val/a.JPEG,270\nval/b.JPEG,007\n",
    "image_sizes.txt": "val/a.JPEG,500,335\nval/b.JPEG,200,247\n",
    "localization.txt": "val/a.JPEG,119,60,409,264\nval/b.JPEG,0,0,199,246\nval/a.JPEG,83,160,366,257\n",
}


@pytest.fixture
def split(tmp_path: Path) -> Path:
    folder = tmp_path / "ILSVRC/val"
    folder.mkdir(parents=True)
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


def test_boxes(split: Path) -> None:
    boxes = (("270", (119.0, 60.0, 410.0, 265.0)), ("270", (83.0, 160.0, 367.0, 258.0)))
    expected = [
        Sample("val/b.JPEG", None, ("7",), (247, 200), (("7", (0, 0, 200, 247)),)),
        Sample("val/a.JPEG", None, ("270",), (335, 500), boxes),
    ]
    for root in (split, split.parent):
        assert wsol.matches(root)
        assert wsol.read(root) == expected


def test_sizes_and_locations_may_be_absent(split: Path) -> None:
    (split / "image_sizes.txt").unlink()
    (split / "localization.txt").unlink()
    assert wsol.read(split) == [Sample("val/b.JPEG", None, ("7",)), Sample("val/a.JPEG", None, ("270",))]


def test_a_shortened_list_of_images(split: Path) -> None:
    (split / "image_ids.txt").write_text("val/a.JPEG\n")
    assert [sample.image for sample in wsol.read(split)] == ["val/a.JPEG"]


@pytest.mark.parametrize("place", ["", "masks", ".."])
def test_masks(split: Path, place: str) -> None:
    folder = split / place / "test"
    folder.mkdir(parents=True)
    for name in ("a1.png", "a2.png", "b1.png", "ignore.png"):
        (folder / name).touch()
    rows = "val/a.JPEG,test/a1.png,test/ignore.png\nval/b.JPEG,test/b1.png,\nval/a.JPEG,test/a2.png,\n"
    (split / "localization.txt").write_text(rows)
    b, a = wsol.read(split)
    assert [path.resolve() for path in b.masks] == [(folder / "b1.png").resolve()]
    assert [path.name for path in a.masks] == ["a1.png", "a2.png"]
    assert a.ignore_mask is not None
    assert a.ignore_mask.resolve() == (folder / "ignore.png").resolve()
    assert (b.ignore_mask, b.boxes, a.boxes) == (None, (), ())


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("val/a.JPEG,gone.png,\n", r":1: the mask gone\.png is in none of .*val, .*masks, .*ILSVRC"),
        ("val/a.JPEG,a.png,gone.png\n", r":1: the mask gone\.png is in none of"),
        ("val/a.JPEG,a.png,a.png\nval/a.JPEG,b.png,b.png\n", ":2: the image has two different ignore masks"),
        ("val/a.JPEG,,a.png\n", ":1: expected `image,x0,y0,x1,y1`, or `image,mask,ignore`"),
        (
            "val/a.JPEG,a.png,\nval/b.JPEG,1,2,3,4\n",
            ":2: expected `image,x0,y0,x1,y1`, or `image,mask,ignore`",
        ),
        (
            "val/a.JPEG,1,2,3,4\nval/b.JPEG,a.png,\n",
            ":2: expected `image,x0,y0,x1,y1`, or `image,mask,ignore`",
        ),
        ("val/a.JPEG,1,2,3\n", ":1: expected `image,x0,y0,x1,y1`"),
        ("val/a.JPEG,1,2,3,x\n", ":1: the box `1 2 3 x` is not the four numbers"),
        ("val/a.JPEG,1,2,3,nan\n", ":1: the box `1 2 3 nan` holds a number that is not finite"),
        ("val/a.JPEG,9,2,3,4\n", ":1: the box `9 2 3 4` ends before it begins"),
        ("val/a.JPEG,1,2,501,4\n", ":1: the box `1 2 501 4` reaches out of the image .500 x 335 pixels"),
        ("val/a.JPEG,1,2,3,4\n", r": it has no row for val/b\.JPEG \(1 of 2 lack theirs\)"),
    ],
)
def test_malformed_locations(split: Path, rows: str, reason: str) -> None:
    for name in ("a.png", "b.png"):
        (split / name).touch()
    (split / "localization.txt").write_text(rows)
    with pytest.raises(DataError, match=rf"localization\.txt{reason}"):
        wsol.read(split)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("image_ids.txt", "val/a.JPEG\n\nval/a.JPEG\n", r":3: val/a\.JPEG stands there twice"),
        ("image_ids.txt", "\n", ": holds no images"),
        ("class_labels.txt", "val/a.JPEG,1\nval/b.JPEG,n01\n", ":2: expected `image,class_index`"),
        ("class_labels.txt", "val/a.JPEG\n", ":1: expected `image,class_index`"),
        ("class_labels.txt", "val/a.JPEG,1\nval/a.JPEG,2\n", r":2: val/a\.JPEG stands there twice"),
        ("class_labels.txt", "val/a.JPEG,1\n", r": it has no row for val/b\.JPEG"),
        ("class_labels.txt", "", r": it has no row for val/b\.JPEG \(2 of 2"),
        ("image_sizes.txt", "val/a.JPEG,500\n", ":1: width 500 and height  are not"),
        ("image_sizes.txt", "val/a.JPEG,500,300,3\n", ":1: width 500 and height 300,3 are not"),
        ("image_sizes.txt", "val/a.JPEG,500,0\n", ":1: width 500 and height 0 are not"),
        ("image_sizes.txt", "val/a.JPEG,500,335\n", r": it has no row for val/b\.JPEG"),
    ],
)
def test_malformed_tables(split: Path, name: str, text: str, reason: str) -> None:
    (split / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name}{reason}"):
        wsol.read(split)


def test_other_folders(split: Path, tmp_path: Path) -> None:
    assert not wsol.matches(tmp_path)
    with pytest.raises(DataError, match=r"no image_ids\.txt in it"):
        wsol.read(tmp_path)
    (split.parent / "test").mkdir()
    (split.parent / "test/image_ids.txt").write_text("a\n")
    assert wsol.matches(split.parent)
    with pytest.raises(DataError, match=r"name one of its splits: .*test, .*val"):
        wsol.read(split.parent)
    with pytest.raises(DataError, match=r"cannot read .*class_labels\.txt: No such file"):
        wsol.read(split.parent / "test")
    assert not wsol.matches(split / "image_ids.txt")


def test_real_metadata(real_data: Callable[[str], Path]) -> None:
    samples = wsol.read(real_data("wsol-parity/slice"))
    assert (len(samples), sum(len(sample.boxes) for sample in samples)) == (200, 299)
    indices = resolve_labels(samples, imagenet_classes())
    assert all(index == int(label) for label, index in indices.items())
    ids = [sample.image for sample in samples]
    expected = json.loads(real_data("wsol-parity/expected.json").read_text(encoding="utf-8"))
    assert expected
    assert len(set(ids)) == 200


def test_a_class_of_thousands_of_digits(split: Path) -> None:
    (split / "class_labels.txt").write_text(f"val/a.JPEG,{'9' * 5000}\nval/b.JPEG,7\n")
    with pytest.raises(DataError, match=r"class_labels\.txt:1: expected `image,class_index`"):
        wsol.read(split)
