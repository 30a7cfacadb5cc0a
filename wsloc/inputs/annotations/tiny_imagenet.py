"""Tiny ImageNet's own layout: boxes as 0-based INCLUSIVE corners, so x1 + 1 is the half-open edge.

ROOT/train/<wnid>/images/<image>.JPEG   ROOT/train/<wnid>/<wnid>_boxes.txt     image x0 y0 x1 y1
ROOT/val/images/<image>.JPEG            ROOT/val/val_annotations.txt           image wnid x0 y0 x1 y1
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsloc.records import Box

VALIDATION_LIST = "val_annotations.txt"


def matches(root: Path) -> bool:
    """Whether `root` is a validation list, a folder with one, a train folder with box files, or their parent."""
    if not root.is_dir():
        return root.name == VALIDATION_LIST
    if (root / VALIDATION_LIST).is_file() or ((root / "wnids.txt").is_file() and (root / "train").is_dir()):
        return True
    return any((folder / f"{folder.name}_boxes.txt").is_file() for folder in root.iterdir())


def read(root: Path) -> list[Sample]:
    """Samples with one label and one box each, as the lists have them, whether their pictures are there or not.

    Args:
        root: the data set (its train part is read), `train`, `val`, or `val/val_annotations.txt`.

    Raises:
        DataError: if a row is malformed (file and line are named), or nothing is there.
    """
    if root.is_file():
        samples = _read_validation(root)
    elif (root / VALIDATION_LIST).is_file():
        samples = _read_validation(root / VALIDATION_LIST)
    else:
        samples = _read_train(root / "train" if (root / "train").is_dir() else root)
    if not samples:
        raise DataError(f"{root}: no Tiny ImageNet images in it")
    return samples


def _read_validation(path: Path) -> list[Sample]:
    return [
        Sample(name, path.parent / "images" / name, labels=(wnid,), boxes=((wnid, box),))
        for name, wnid, box in _rows(path)
    ]


def _read_train(root: Path) -> list[Sample]:
    return [
        Sample(f"{wnid}/images/{name}", folder / "images" / name, labels=(wnid,), boxes=((wnid, box),))
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
        for name, wnid, box in _rows(folder / f"{folder.name}_boxes.txt", folder.name)
    ]


def _rows(path: Path, wnid: str | None = None) -> Iterator[tuple[str, str, Box]]:
    """(image, wnid, half-open box) of each row; without `wnid` the rows' second word is theirs."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    words = "an image" if wnid else "an image, a wnid"
    images: set[str] = set()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            image, owner = fields[0], wnid or fields[1]
            x0, y0, x1, y1 = (float(int(field)) for field in fields[1 if wnid else 2 :])
        except (ValueError, IndexError, OverflowError) as error:
            raise DataError(f"{path}:{number}: expected {words} and 4 integers") from error
        if not (0 <= x0 <= x1 and 0 <= y0 <= y1):
            raise DataError(
                f"{path}:{number}: the box {x0:g} {y0:g} {x1:g} {y1:g} is not x0 <= x1 and y0 <= y1, from 0 on"
            )
        if image in images:
            raise DataError(f"{path}:{number}: {image} stands there twice")
        images.add(image)
        yield image, owner, (x0, y0, x1 + 1, y1 + 1)
