"""A data set as far as some classes go: objects of all others count as background."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.matching import first_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsloc.records import Sample

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Restricted:
    """What is left of a data set.

    Attributes:
        samples: images with one of the classes, or more.
        other_labels: labels that are dropped, sorted; their objects count as background.
        without: images that have none of the classes, and are left out.
    """

    samples: list[Sample]
    other_labels: tuple[str, ...]
    without: int

    def notes(self) -> list[str]:
        """What a reader must know of it."""
        lines = []
        if self.other_labels:
            names = first_names(self.other_labels, SHOWN)
            lines.append(
                f"classes of the annotations that count as background ({len(self.other_labels)}): {names}"
            )
        if self.without:
            lines.append(f"{self.without:,} annotated images show none of the classes and are left out")
        return lines


def restricted(samples: Sequence[Sample], keep: Callable[[str], bool]) -> Restricted:
    """Samples with those labels, boxes and values of their masks alone that are wanted.

    Args:
        samples: labelled images.
        keep: whether a label is wanted.
    """
    words = {label for sample in samples for label in _labels(sample)}
    wanted = {label for label in words if keep(label)}
    left = [_restricted(sample, wanted) for sample in samples]
    kept = [sample for sample in left if sample.labels]
    # A numbering names all classes that there are; those that no image shows are not worth a word.
    shown = {label for sample in samples for label in sample.labels}
    return Restricted(kept, tuple(sorted(shown - wanted)), len(left) - len(kept))


def only_classes(samples: Sequence[Sample], classes: Sequence[str], source: str) -> list[Sample]:
    """Samples as far as some classes go; images that show none of them are left out.

    Args:
        samples: labelled images.
        classes: their labels, upper and lower case forgiven.
        source: where the samples are from, for the message.

    Raises:
        DataError: if a class is the label of no image; the labels that there are are listed.
    """
    wanted = {name.strip().casefold() for name in classes}
    shown = sorted({label for sample in samples for label in sample.labels})
    missing = sorted(wanted - {label.casefold() for label in shown})
    if missing:
        raise DataError(
            f"{source}: no image is labelled {missing[0]}: its labels are {first_names(shown, 2 * SHOWN)}"
        )
    return restricted(samples, lambda label: label.casefold() in wanted).samples


def _labels(sample: Sample) -> set[str]:
    numbered = {label for _, label in sample.mask_labels if label}
    return {*sample.labels, *(label for label, _ in sample.boxes), *numbered}


def _restricted(sample: Sample, wanted: set[str]) -> Sample:
    return replace(
        sample,
        labels=tuple(label for label in sample.labels if label in wanted),
        boxes=tuple((label, box) for label, box in sample.boxes if label in wanted),
        mask_labels=tuple((value, label if label in wanted else "") for value, label in sample.mask_labels),
    )
