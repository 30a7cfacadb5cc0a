"""Kaggle's table of ImageNet's boxes (LOC_val_solution.csv): 0-based INCLUSIVE corners, so x1 + 1 is the edge.

ImageId,PredictionString
ILSVRC2012_val_00000001,n01751748 111 108 441 193 n01751748 12 30 98 201
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.csv_rows import read_rows
from wsloc.inputs.annotations.parsing import inclusive_box
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.records import Box

HEADER = ["ImageId", "PredictionString"]
VALIDATION_TABLE = "LOC_val_solution.csv"
WORDS = 5  # a box: wnid x0 y0 x1 y1


def matches(root: Path) -> bool:
    """Whether `root` is a CSV with that header, or the folder with LOC_val_solution.csv."""
    path = root / VALIDATION_TABLE if root.is_dir() else root
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        return _is_header(stream.readline().split(","))


def read(root: Path) -> list[Sample]:
    """A sample a row, in the rows' order: wnids as labels and their boxes; no sizes, no paths of pictures.

    Args:
        root: the CSV, or the folder with LOC_val_solution.csv.

    Raises:
        DataError: if the header or a row is malformed (file and line are named), or there are no rows.
    """
    path = root / VALIDATION_TABLE if root.is_dir() else root
    rows = read_rows(path)
    if not _is_header(next(rows, (1, []))[1]):
        raise DataError(f"{path}:1: expected the header `{','.join(HEADER)}`")
    samples: dict[str, Sample] = {}
    for number, row in rows:
        if not any(field.strip() for field in row):
            continue
        where = f"{path}:{number}"
        image, words = row[0].strip(), " ".join(row[1:]).split()
        if not image or not words or len(words) % WORDS:
            raise DataError(f"{where}: expected an image and `wnid x0 y0 x1 y1` once or several times")
        if image in samples:
            raise DataError(f"{where}: {image} stands there twice")
        boxes = tuple(_read_box(words[start : start + WORDS], where) for start in range(0, len(words), WORDS))
        labels = tuple(dict.fromkeys(wnid for wnid, _ in boxes))
        samples[image] = Sample(image, None, labels, boxes=boxes)
    if not samples:
        raise DataError(f"{path}: holds no images")
    return list(samples.values())


def _read_box(words: list[str], where: str) -> tuple[str, Box]:
    wnid, *corners = words
    if wnid.lstrip("+-").replace(".", "", 1).isdecimal():
        raise DataError(f"{where}: expected a wnid before each box, not {wnid}")
    return wnid, inclusive_box(corners, where)


def _is_header(row: list[str]) -> bool:
    return [field.strip() for field in row[:2]] == HEADER
