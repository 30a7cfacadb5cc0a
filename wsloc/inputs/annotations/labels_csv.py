"""A CSV of image labels: a header `image,label`, then a row an image, several labels parted by semicolons."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def matches(path: Path) -> bool:
    """Whether `path` is a file whose header begins with `image,label`."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return [field.strip() for field in stream.readline().split(",")][:2] == ["image", "label"]


def read(path: Path) -> list[Sample]:
    """Samples with the labels of each row; image paths are relative to the CSV's folder.

    Raises:
        DataError: if the header, a row or the encoding is not as it should be (file and line are named).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    if not rows or [field.strip() for field in rows[0][:2]] != ["image", "label"]:
        raise DataError(f"{path}:1: expected the header `image,label`")
    samples: dict[str, Sample] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        image = row[0].strip()
        labels = tuple(
            dict.fromkeys(label.strip() for label in ";".join(row[1:2]).split(";") if label.strip())
        )
        if not image or not labels:
            raise DataError(f"{path}:{number}: expected an image and at least one label")
        if image in samples:
            raise DataError(f"{path}:{number}: {image} stands there twice; part its labels by semicolons")
        samples[image] = Sample(image, path.parent / image, labels=labels)
    if not samples:
        raise DataError(f"{path}: holds no images")
    return list(samples.values())
