"""What seeds and annotations call their classes, brought to one numbering."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.evaluation.mask_truth import MaskTruth
from wsloc.inputs.annotations.matching import first_names
from wsloc.inputs.class_labels import resolve_class
from wsloc.inputs.mask_classes import FILE_NAME, VOC_CLASSES, MaskClass
from wsloc.inputs.masks import has_other_palette, value_table
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from wsloc.inputs.seed_files import SeedFiles
    from wsloc.records import Sample

SHOWN = 5
LOOKED_AT = 20  # seeds, for the colours of their values


@dataclass(frozen=True, slots=True)
class SeedVocabulary:
    """The classes of seeds; the first has the number 1.

    Attributes:
        classes: that are scored, in the order of their numbers.
        numbers: label of the annotations -> number; labels without one count as background.
        truth: how true masks are read.
        table: int16 (256,), value of the seeds -> number.
        notes: what a reader must know of how classes were matched.
    """

    classes: tuple[MaskClass, ...]
    numbers: Mapping[str, int]
    truth: MaskTruth
    table: npt.NDArray[np.int16]
    notes: tuple[str, ...]

    def numbers_of(self, sample: Sample) -> list[int]:
        """The numbers of the classes that an image is labelled with."""
        return sorted({self.numbers[label] for label in sample.labels if label in self.numbers})


def seed_vocabulary(
    samples: Sequence[Sample], seeds: SeedFiles, wanted: Collection[str] = ()
) -> SeedVocabulary:
    """Match the classes by id or name, case forgiven; without `classes.json` seeds are numbered as the true masks.

    Args:
        samples: annotated images with masks of numbered classes.
        seeds: their seeds.
        wanted: labels that are scored alone; empty for all classes of the seeds.

    Raises:
        DataError: if they have no class in common, or a label could be several classes of the seeds.
    """
    labels = {label: value for value, label in samples[0].mask_labels if label}
    every = seeds.classes or tuple(MaskClass(value, label, label) for label, value in labels.items())
    words = {word.casefold() for word in wanted}
    classes = tuple(
        entry
        for entry in every
        if not words or words & {entry.class_id.casefold(), entry.class_name.casefold()}
    )
    known = Classes(tuple(entry.class_id for entry in classes), tuple(entry.class_name for entry in classes))
    called = {word.casefold() for word in (*known.ids, *known.names)}
    places = {label: resolve_class(label, known) for label in labels if label.casefold() in called}
    truth = MaskTruth.of(samples, places, range(len(classes)))
    if truth is None or not places:
        raise DataError(
            f"{seeds.folder}: its classes ({first_names([entry.class_name for entry in every], SHOWN)}) and those of "
            f"the annotations ({first_names([*labels], SHOWN)}) have none in common"
        )
    numbers = {entry: number for number, entry in enumerate(classes, start=1)}
    return SeedVocabulary(
        classes,
        {label: place + 1 for label, place in places.items()},
        truth,
        value_table({entry.value: numbers.get(entry, 0) for entry in every} | _unscored(samples, seeds)),
        tuple(_notes(samples, seeds, classes, places)),
    )


def _unscored(samples: Sequence[Sample], seeds: SeedFiles) -> dict[int, int]:
    """Values of seeds in the annotations' numbering whose classes are not scored: background."""
    return {} if seeds.classes else {value: 0 for value, label in samples[0].mask_labels if not label}


def _notes(
    samples: Sequence[Sample], seeds: SeedFiles, classes: Sequence[MaskClass], places: Mapping[str, int]
) -> list[str]:
    lines = []
    if seeds.classes is None:
        lines.append(
            f"{seeds.folder}: no {FILE_NAME} says what its values mean; they are taken for those of the true masks"
        )
        lines += _colour_notes(samples, seeds)
    others = sorted({label for sample in samples for label in sample.labels} - places.keys())
    if others:
        lines.append(
            f"classes of the annotations that the seeds lack, they count as background ({len(others)}): "
            f"{first_names(others, SHOWN)}"
        )
    matched = set(places.values())
    alone = [entry.class_name for place, entry in enumerate(classes) if place not in matched]
    if alone:
        lines.append(
            f"classes of the seeds that the annotations lack ({len(alone)}): {first_names(alone, SHOWN)}"
        )
    return lines


def _colour_notes(samples: Sequence[Sample], seeds: SeedFiles) -> list[str]:
    """Whether palette PNGs that are taken to be numbered as VOC's masks have other colours, and so other numbers?"""
    numbers = {entry.class_id: entry.value for entry in VOC_CLASSES}
    if any(label and numbers.get(label) != value for value, label in samples[0].mask_labels):
        return []
    for path in islice(seeds.paths.values(), LOOKED_AT):
        try:
            different = has_other_palette(path)
        except DataError:  # a failure of its own image
            continue
        if different:
            return [
                f"{path}: its colours are not those that VOC has for its values: is its numbering another?"
            ]
    return []
