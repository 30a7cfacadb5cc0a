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
    values = voc_values(classes) or tuple(range(1, len(classes) + 1))
    if max(values, default=0) >= IGNORE:
        raise DataError(f"a label map of one byte holds at most {IGNORE - 1} classes, not {len(classes)}")
    return values


def voc_values(classes: Classes) -> tuple[int, ...] | None:
    """VOC's own values of the classes, 1 to 20, by their names or ids; None unless all are VOC's."""
    for words in (classes.names, classes.ids):
        names = [_plain(word) for word in words]
        if len(set(names)) == len(names) and set(names) <= set(VOC_NAMES):
            return tuple(VOC_NAMES.index(name) + 1 for name in names)
    return None


def _plain(name: str) -> str:
    """`TV/monitor`, `tv monitor` and `tv_monitor` are all `tvmonitor`."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())
