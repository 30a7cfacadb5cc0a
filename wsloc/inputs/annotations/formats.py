"""Which annotation format a path is in, and its reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wsloc.errors import DataError
from wsloc.inputs.annotations import folder, labels_csv, tiny_imagenet
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
    "labels-csv": labels_csv,
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
    if not root.exists():
        raise DataError(f"{root} is not there: name a data set's folder or annotation file")
    if annotation_format != "auto":
        return ANNOTATION_FORMATS[annotation_format].read(root)
    for reader in ANNOTATION_FORMATS.values():
        if reader.matches(root):
            return reader.read(root)
    raise DataError(f"{root}: its format is none of {', '.join(ANNOTATION_FORMATS)}")


def classes_of(samples: Iterable[Sample], root: Path) -> Classes:
    """The classes that samples are labelled with, sorted by id; names in words from `words.txt` where it is there.

    Args:
        samples: labelled images.
        root: the data set; `words.txt` (id TAB words) is looked for in it and its parent.
    """
    ids = tuple(sorted({label for sample in samples for label in sample.labels}))
    words: dict[str, str] = {}
    for place in (root, root.parent):
        if (place / "words.txt").is_file():
            for line in (place / "words.txt").read_text(encoding="utf-8").splitlines():
                class_id, _, names = line.partition("\t")
                words[class_id] = names.split(",")[0].strip()
            break
    return Classes(ids, tuple(words.get(class_id) or class_id for class_id in ids))
