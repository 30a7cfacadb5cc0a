"""How classes are numbered in label maps: 0 is the background, 255 is of no class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.mask_classes import IGNORE, VOC_NAMES

if TYPE_CHECKING:
    from wsloc.records import Classes


def class_values(classes: Classes) -> tuple[int, ...]:
    """The value of each class in label maps: VOC's own if all are VOC's, else its index + 1.

    Raises:
        DataError: if there are more classes than a label map of one byte holds.
    """
    for names in (classes.ids, classes.names):
        if set(names) <= set(VOC_NAMES):
            return tuple(VOC_NAMES.index(name) + 1 for name in names)
    if len(classes) >= IGNORE:
        raise DataError(f"a label map of one byte holds at most {IGNORE - 1} classes, not {len(classes)}")
    return tuple(range(1, len(classes) + 1))
