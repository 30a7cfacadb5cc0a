"""How classes are numbered in label maps: 0 is the background, 255 is of no class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError

if TYPE_CHECKING:
    from wsloc.records import Classes

BACKGROUND, VOID = 0, 255

# Pascal VOC's own numbers begin at 1, in this order.
VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *(
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ),
)


def class_values(classes: Classes) -> tuple[int, ...]:
    """The value of each class in label maps: VOC's own if all are VOC's, else its index + 1.

    Raises:
        DataError: if there are more classes than a label map of one byte holds.
    """
    for names in (classes.ids, classes.names):
        if set(names) <= set(VOC_CLASSES):
            return tuple(VOC_CLASSES.index(name) + 1 for name in names)
    if len(classes) >= VOID:
        raise DataError(f"a label map of one byte holds at most {VOID - 1} classes, not {len(classes)}")
    return tuple(range(1, len(classes) + 1))
