"""Which annotation format a path is in, and its reader."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from wsloc.errors import DataError
from wsloc.inputs.annotations import (
    coco,
    folder,
    imagenet_csv,
    imagenet_devkit,
    imagenet_xml,
    labels_csv,
    mask_folder,
    tiny_imagenet,
    voc,
    wsol,
)
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wsloc.records import Sample


class AnnotationFormat(Protocol):
    """What every file of this folder offers."""

    def matches(self, root: Path, /) -> bool:
        """Whether the path looks like this format."""

    def read(self, root: Path, /) -> list[Sample]:
        """Its samples."""


# In the order they are tried: the most particular first.
ANNOTATION_FORMATS: dict[str, AnnotationFormat] = {
    "tiny-imagenet": tiny_imagenet,
    "wsol": wsol,
    "imagenet-devkit": imagenet_devkit,
    "imagenet-csv": imagenet_csv,
    "imagenet-xml": imagenet_xml,
    "voc": voc,
    "coco": coco,
    "labels-csv": labels_csv,
    "masks": mask_folder,
    "folder": folder,
}


def read_annotations(root: Path, annotation_format: str = "auto") -> list[Sample]:
    """The samples of an annotated data set.

    Args:
        root: a file or folder.
        annotation_format: a key of `ANNOTATION_FORMATS`, or `auto` to find it by looking.

    Raises:
        DataError: if the path is not there, its format is not known, or its content is malformed.
    """
    if annotation_format not in ("auto", *ANNOTATION_FORMATS):
        raise DataError(
            f"unknown annotation format {annotation_format!r}: auto, {', '.join(ANNOTATION_FORMATS)}"
        )
    try:
        if not root.exists():
            raise DataError(f"{root} is not there: name a data set's folder or annotation file")
        name = _recognized(root) if annotation_format == "auto" else annotation_format
        return ANNOTATION_FORMATS[name].read(root)
    except OSError as error:
        raise DataError(f"cannot read {error.filename or root}: {error.strerror}") from error


def _recognized(root: Path) -> str:
    """The format that a path looks like."""
    for name, annotation_format in ANNOTATION_FORMATS.items():
        if annotation_format.matches(root):
            return name
    raise DataError(f"{root}: its format is none of {', '.join(ANNOTATION_FORMATS)}{_hint(root)}")


def _hint(root: Path) -> str:
    """What may be wrong with a path that looks like no format, in words; empty where nothing is known."""
    folder = root.parent if root.is_file() else root
    with suppress(OSError):  # it cannot be listed
        if next(folder.iterdir(), None) is None:
            return ": the folder is empty"
        if root.is_dir() and next(root.glob("*.png"), None) is not None:
            masks, pictures = mask_folder.MASKS, mask_folder.PICTURES
            return f": masks are looked for in a folder called {masks}, beside one called {pictures}"
    return ""


def classes_of(samples: Iterable[Sample], root: Path) -> Classes:
    """The classes that samples are labelled with, sorted by id; names in words from `words.txt` where it is there.

    Args:
        samples: labelled images.
        root: the data set; `words.txt` (id TAB words) is looked for in it and its parent.

    Raises:
        DataError: if `words.txt` is there and cannot be read.
    """
    ids = tuple(sorted({label for sample in samples for label in sample.labels}))
    words: dict[str, str] = {}
    for path in (root / "words.txt", root.parent / "words.txt"):
        if path.is_file():
            words = _read_words(path)
            break
    return Classes(ids, tuple(words.get(class_id) or class_id for class_id in ids))


def _read_words(path: Path) -> dict[str, str]:
    """The first of the names in words of each class id."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    entries = (line.partition("\t") for line in lines)
    return {class_id.strip(): names.split(",")[0].strip() for class_id, _, names in entries}
