from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError, ImageError
from wsloc.inputs.annotations import tiny_imagenet
from wsloc.inputs.images import decode
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

VALIDATION = "val_0.JPEG\tn02\t0\t32\t44\t62\nval_1.JPEG\tn01\t5\t5\t5\t5\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "wnids.txt").write_text("n01\nn02\n")
    for wnid in ("n02", "n01"):
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t10\t63\t58\n")
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "val" / "images").mkdir(parents=True)
    (tmp_path / "val" / "val_annotations.txt").write_text(VALIDATION)
    return tmp_path


def test_train_boxes_are_inclusive(root: Path) -> None:
    expected = [
        Sample(
            f"{wnid}/images/{wnid}_0.JPEG",
            root / "train" / wnid / "images" / f"{wnid}_0.JPEG",
            labels=(wnid,),
            boxes=((wnid, (0.0, 10.0, 64.0, 59.0)),),
        )
        for wnid in ("n01", "n02")
    ]
    for place in (root, root / "train"):
        assert tiny_imagenet.matches(place)
        assert tiny_imagenet.read(place) == expected


def test_validation_rows_name_their_class(root: Path) -> None:
    for place in (root / "val", root / "val" / "val_annotations.txt"):
        assert tiny_imagenet.matches(place)
        first, second = tiny_imagenet.read(place)
        assert (first.image, first.path) == ("val_0.JPEG", root / "val" / "images" / "val_0.JPEG")
        assert (first.labels, first.boxes) == (("n02",), (("n02", (0.0, 32.0, 45.0, 63.0)),))
        assert second.boxes == (("n01", (5.0, 5.0, 6.0, 6.0)),)  # one pixel


def test_a_list_of_another_name_may_be_named(root: Path) -> None:
    path = root / "val" / "mine.txt"
    path.write_text("val_7.JPEG n01 1 2 3 4\n")
    assert not tiny_imagenet.matches(path)
    assert [sample.image for sample in tiny_imagenet.read(path)] == ["val_7.JPEG"]


def test_bom_crlf_and_blank_lines_are_passed_over(root: Path) -> None:
    expected = tiny_imagenet.read(root / "val")
    text = "\ufeff" + VALIDATION.replace("\n", "\r\n\r\n  \r\n")
    (root / "val" / "val_annotations.txt").write_bytes(text.encode())
    assert tiny_imagenet.read(root / "val") == expected


def test_pictures_that_are_listed_and_missing_are_told_when_they_are_needed(root: Path) -> None:
    sample = tiny_imagenet.read(root / "val")[0]
    assert sample.path is not None
    with pytest.raises(ImageError, match=r"val_0\.JPEG: is not there"):
        decode(sample.path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("val_2.JPEG n01 1 2 3", "expected an image, a wnid and 4 integers"),
        ("val_2.JPEG n01 1 2 3 4 5", "expected an image, a wnid and 4 integers"),
        ("val_2.JPEG n01 1 2 3 4.5", "expected an image, a wnid and 4 integers"),
        ("val_2.JPEG", "expected an image, a wnid and 4 integers"),
        ("val_2.JPEG n01 9 2 3 4", "the box 9 2 3 4 is not x0 <= x1 and y0 <= y1, from 0 on"),
        ("val_2.JPEG n01 1 9 3 4", "the box 1 9 3 4 is not"),
        ("val_2.JPEG n01 -1 2 3 4", "the box -1 2 3 4 is not"),
        ("val_1.JPEG n02 1 2 3 4", "val_1.JPEG stands there twice"),
    ],
)
def test_a_malformed_row_is_named_with_its_line(root: Path, row: str, message: str) -> None:
    path = root / "val" / "val_annotations.txt"
    path.write_text(f"{VALIDATION}\n{row}\n")
    with pytest.raises(DataError, match=f"^{path}:4: {message}"):
        tiny_imagenet.read(path)


def test_a_malformed_row_of_a_class_is_named_with_its_line(root: Path) -> None:
    path = root / "train" / "n02" / "n02_boxes.txt"
    path.write_text("n02_0.JPEG\t0\t10\t63\n")
    with pytest.raises(DataError, match=f"^{path}:1: expected an image and 4 integers"):
        tiny_imagenet.read(root)


def test_missing_broken_and_empty_lists(root: Path) -> None:
    (root / "val" / "val_annotations.txt").write_bytes(b"caf\xe9 n01 1 2 3 4\n")
    with pytest.raises(DataError, match=r"cannot read .*val_annotations\.txt: 'utf-8'"):
        tiny_imagenet.read(root / "val")
    (root / "val" / "val_annotations.txt").write_text("\n")
    with pytest.raises(DataError, match="val: no Tiny ImageNet images in it"):
        tiny_imagenet.read(root / "val")
    (root / "train" / "n01" / "n01_boxes.txt").unlink()
    with pytest.raises(DataError, match=r"cannot read .*n01_boxes\.txt"):
        tiny_imagenet.read(root)


def test_a_folder_per_class_is_not_this_format(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "other_boxes.txt").touch()
    assert not tiny_imagenet.matches(tmp_path)
    assert not tiny_imagenet.matches(tmp_path / "gone")


def test_a_corner_beyond_all_numbers(root: Path) -> None:
    path = root / "val/val_annotations.txt"
    path.write_text(f"val_0.JPEG n02 0 32 44 {'9' * 400}\n")
    with pytest.raises(DataError, match=r"val_annotations\.txt:1: expected an image, a wnid and 4 integers"):
        tiny_imagenet.read(path)
