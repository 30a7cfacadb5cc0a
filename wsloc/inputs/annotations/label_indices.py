"""Which of the network's classes the labels of annotations are."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.matching import first_names
from wsloc.inputs.class_labels import resolve_class
from wsloc.inputs.number_kinds import whole_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsloc.records import Classes, Sample

SHOWN = 5


def resolve_labels(samples: Iterable[Sample], classes: Classes) -> dict[str, int]:
    """The class index of each distinct label of the samples and their boxes.

    A label is a class's id (wnid or folder), its index in digits, or its name in words, in this order; upper
    and lower case do not matter.

    Args:
        samples: annotated images.
        classes: what the network's outputs mean.

    Returns:
        Label -> class index, in the order in which labels come first.

    Raises:
        DataError: if labels are not among the classes (the first are listed), or a name is several classes'.
    """
    labels = dict.fromkeys(
        chain.from_iterable((*sample.labels, *(label for label, _ in sample.boxes)) for sample in samples)
    )
    words = {word.casefold() for word in (*classes.ids, *classes.names)}
    missing = [label for label in labels if not _is_known(label, words, len(classes))]
    if len(missing) > 1:
        raise DataError(
            f"{len(missing):,} of the annotations' {len(labels):,} classes are not among the network's "
            f"{len(classes):,}: {first_names(missing, SHOWN)}; the network's are "
            f"{first_names([*map(_described, classes.ids, classes.names)], SHOWN)}"
        )
    return {label: resolve_class(label, classes) for label in labels}  # one missing: it says what is close


def _is_known(label: str, words: set[str], count: int) -> bool:
    text = label.strip()
    index = whole_of(text)
    return text.casefold() in words or (index is not None and index < count)


def _described(class_id: str, name: str) -> str:
    return class_id if class_id == name else f"{class_id} ({name})"
