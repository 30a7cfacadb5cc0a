"""Kaggle's table: rows in any order, several boxes in one, and every malformed row named by its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import imagenet_csv
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "ImageId,PredictionString\n"
FIRST = "ILSVRC2012_val_00000001,n01751748 111 108 441 193 \n"


def written(folder: Path, text: str) -> Path:
    path = folder / "LOC_val_solution.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows(tmp_path: Path) -> None:
    second = "ILSVRC2012_val_00000002,n03995372 85 1 499 272 n01440764 0 0 9 9 n03995372 3 4 5 6  \n"
    path = written(tmp_path, f"\ufeff{HEADER}{second}\n{FIRST}")
    boxes = (("n03995372", (85, 1, 500, 273)), ("n01440764", (0, 0, 10, 10)), ("n03995372", (3, 4, 6, 7)))
    samples = [
        Sample("ILSVRC2012_val_00000002", None, ("n03995372", "n01440764"), boxes=boxes),
        Sample("ILSVRC2012_val_00000001", None, ("n01751748",), boxes=(("n01751748", (111, 108, 442, 194)),)),
    ]
    assert imagenet_csv.read(path) == samples
    assert imagenet_csv.matches(path)
    assert imagenet_csv.matches(tmp_path)
    assert imagenet_csv.read(tmp_path) == samples


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,n01751748 1 2 3\n", "expected an image and `wnid x0 y0 x1 y1`"),
        ("a,n01751748 1 2 3 4 5\n", "expected an image and `wnid x0 y0 x1 y1`"),
        ("a, \n", "expected an image and `wnid x0 y0 x1 y1`"),
        ("a\n", "expected an image and `wnid x0 y0 x1 y1`"),
        (",n01751748 1 2 3 4\n", "expected an image and `wnid x0 y0 x1 y1`"),
        ("a,1 2 3 4 n01751748\n", "expected a wnid before each box, not 1"),
        ("a,n01751748 1 2 3 x\n", "the box `1 2 3 x` is not the four numbers"),
        ("a,n01751748 5 2 3 4\n", "the box `5 2 3 4` ends before it begins"),
        ("a,n01751748 1 nan 3 4\n", "the box `1 nan 3 4` holds a number that is not finite"),
        ("a,n01751748 -1 2 3 4\n", "the box `-1 2 3 4` reaches out of the image"),
        (FIRST, "ILSVRC2012_val_00000001 stands there twice"),
        ('a,"n01751748 1 2 3 4\n', "unexpected end of data"),
    ],
)
def test_malformed_rows(tmp_path: Path, row: str, reason: str) -> None:
    path = written(tmp_path, HEADER + FIRST + row)
    with pytest.raises(DataError, match=rf"LOC_val_solution\.csv:3: {reason}"):
        imagenet_csv.read(path)


def test_other_files(tmp_path: Path) -> None:
    assert not imagenet_csv.matches(tmp_path)
    path = written(tmp_path, "image,label\na.jpg,dog\n")
    assert not imagenet_csv.matches(path)
    with pytest.raises(DataError, match=r"csv:1: expected the header `ImageId,PredictionString`"):
        imagenet_csv.read(path)
    for text, reason in (("", r":1: expected the header"), (HEADER, "holds no images")):
        with pytest.raises(DataError, match=reason):
            imagenet_csv.read(written(tmp_path, text))
    path.write_bytes(b"ImageId,PredictionString\n\xff\xfe")
    with pytest.raises(DataError, match="it is no UTF-8 text"):
        imagenet_csv.read(path)
    with pytest.raises(DataError, match=r"cannot read .*absent\.csv: No such file"):
        imagenet_csv.read(tmp_path / "absent.csv")
    (tmp_path / "table.txt").write_text(HEADER)
    assert not imagenet_csv.matches(tmp_path / "table.txt")
