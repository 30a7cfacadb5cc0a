from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import labels_csv

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "image,label\na/1.jpg,cat;dog\n2.jpg,fox\n",
        "\ufeffimage,label\r\na/1.jpg,cat;dog\r\n2.jpg,fox",
        '"image","label"\n\n ./a//1.jpg , cat ; dog;cat; \n,\n"2.jpg","fox"\n\n',
        "image,label,split\na/1.jpg,cat;dog,train\n2.jpg,fox,val\n",
    ],
    ids=["plain", "BOM and CRLF", "quotes and blanks", "further columns"],
)
def test_rows_become_samples(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    assert labels_csv.matches(path)
    samples = labels_csv.read(path)
    assert [(sample.image, sample.path, sample.labels) for sample in samples] == [
        ("a/1.jpg", tmp_path / "a" / "1.jpg", ("cat", "dog")),
        ("2.jpg", tmp_path / "2.jpg", ("fox",)),
    ]


def test_labels_may_hold_commas_in_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, 'image,label\n1.jpg,"tench, Tinca tinca;n02"\n')
    assert labels_csv.read(path)[0].labels == ("tench, Tinca tinca", "n02")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r":1: expected the header `image,label`"),
        ("picture,class\n", r":1: expected the header `image,label`"),
        ("image,label\n", ": holds no images"),
        ("image,label\n\n\n1.jpg\n", ":4: expected an image and at least one label"),
        ("image,label\n1.jpg,cat\n,dog\n", ":3: expected an image and at least one label"),
        ("image,label\r\n1.jpg, ; \r\n", ":2: expected an image and at least one label"),
        (
            "image,label\n1.jpg,cat\n./1.jpg,dog\n",
            ":3: 1.jpg stands there twice; part its labels by semicolons",
        ),
        ('image,label\n1.jpg,"cat\n', ":2: unexpected end of data"),
        (b"image,label\n1.jpg,caf\xe9\n", ": it is no UTF-8 text"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=f"{path}{message}"):
        labels_csv.read(path)


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(DataError, match=f"cannot read {path}"):
            labels_csv.read(path)


def test_only_a_csv_with_that_header_is_this_format(tmp_path: Path) -> None:
    assert not labels_csv.matches(written(tmp_path, "image,x0,y0\n"))
    assert not labels_csv.matches(written(tmp_path, b"\xff\xfe\0\0"))
    assert not labels_csv.matches(written(tmp_path, ""))
    assert not labels_csv.matches(tmp_path)
    assert not labels_csv.matches(tmp_path / "gone.csv")


def test_a_file_of_one_long_line_is_another_format(tmp_path: Path) -> None:
    path = written(tmp_path, "a" * 200_000)
    assert not labels_csv.matches(path)
    with pytest.raises(DataError, match=r"labels\.csv:1: field larger than"):
        labels_csv.read(path)
