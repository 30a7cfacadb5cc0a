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
    if root.is_file():
        return root.name == VALIDATION_LIST
    if (root / VALIDATION_LIST).is_file() or ((root / "wnids.txt").is_file() and (root / "train").is_dir()):
        return True
    return root.is_dir() and any(root.glob("*/*_boxes.txt"))


def read(root: Path) -> list[Sample]:
    """Samples with one label and one box each.

    Args:
        root: the data set (its train part is read), `train`, `val`, or `val/val_annotations.txt`.

    Raises:
        DataError: if a row is malformed (file and line are named), or nothing is there.
    """
    if root.is_file():
        root = root.parent
    if (root / VALIDATION_LIST).is_file():
        samples = _read_validation(root)
    else:
        samples = _read_train(root / "train" if (root / "train").is_dir() else root)
    if not samples:
        raise DataError(f"{root}: no Tiny ImageNet images in it")
    return samples


def _read_validation(root: Path) -> list[Sample]:
    return [
        Sample(name, root / "images" / name, labels=(wnid,), boxes=((wnid, box),))
        for name, (wnid,), box in _rows(root / VALIDATION_LIST, words=1)
    ]


def _read_train(root: Path) -> list[Sample]:
    samples = []
    for folder in sorted(folder for folder in root.iterdir() if folder.is_dir()):
        wnid = folder.name
        samples += [
            Sample(f"{wnid}/images/{name}", folder / "images" / name, labels=(wnid,), boxes=((wnid, box),))
            for name, _, box in _rows(folder / f"{wnid}_boxes.txt", words=0)
        ]
    return samples


def _rows(path: Path, words: int) -> Iterator[tuple[str, list[str], Box]]:
    """(image, `words` further words, half-open box) of each row."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if not fields:
            continue
        try:
            x0, y0, x1, y1 = (int(value) for value in fields[1 + words :])
        except ValueError as error:
            raise DataError(f"{path}:{number}: expected an image, {words} word(s) and 4 integers") from error
        yield fields[0], fields[1 : 1 + words], (float(x0), float(y0), x1 + 1.0, y1 + 1.0)
