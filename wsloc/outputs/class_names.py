"""Class names as formats need them that know classes by their names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wsloc.words import printable

if TYPE_CHECKING:
    from wsloc.records import Classes


def unique_names(classes: Classes) -> tuple[str, ...]:
    """One name a class, on one line and no two the same.

    Names that stand for several classes (ImageNet has two cranes) are followed by the class id:
    `crane (n02012849)`.
    """
    names = [printable(" ".join(name.split())) for name in classes.names]
    counts = Counter(names)
    return tuple(
        name if counts[name] == 1 and name else f"{name} ({printable(class_id)})".strip()
        for name, class_id in zip(names, classes.ids, strict=True)
    )
