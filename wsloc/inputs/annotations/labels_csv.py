"""A CSV of image labels: a header `image,label`, then a row an image, several labels parted by semicolons."""

from __future__ import annotations

import csv
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.csv_rows import read_rows
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ["image", "label"]
LONGEST_HEADER = 4096  # characters that are looked at: some other file may be one line of many megabytes


def matches(path: Path) -> bool:
    """Whether `path` is a file whose header begins with `image,label`."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return _is_header(next(csv.reader([stream.readline(LONGEST_HEADER)]), []))


def read(path: Path) -> list[Sample]:
    """Samples with the labels of each row; image paths are relative to the CSV's folder.

    Further columns are passed over, empty lines too.

    Raises:
        DataError: if the header, a row or the encoding is not as it should be (file and line are named).
    """
    rows = read_rows(path)
    if not _is_header(next(rows, (1, []))[1]):
        raise DataError(f"{path}:1: expected the header `image,label`")
    samples: dict[str, Sample] = {}
    for number, row in rows:
        if not any(field.strip() for field in row):
            continue
        name, names = row[0].strip(), row[1] if len(row) > 1 else ""
        labels = tuple(dict.fromkeys(label.strip() for label in names.split(";") if label.strip()))
        if not name or not labels:
            raise DataError(f"{path}:{number}: expected an image and at least one label")
        image = PurePosixPath(name).as_posix()  # ./a.jpg is a.jpg, as where images are found in folders
        if image in samples:
            raise DataError(f"{path}:{number}: {image} stands there twice; part its labels by semicolons")
        samples[image] = Sample(image, path.parent / image, labels=labels)
    if not samples:
        raise DataError(f"{path}: holds no images")
    return list(samples.values())


def _is_header(row: list[str]) -> bool:
    return [field.strip() for field in row[:2]] == HEADER
