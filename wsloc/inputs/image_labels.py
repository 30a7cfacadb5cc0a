"""The labels of a run's images, from samples of any annotation format."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.matching import first_names, match
from wsloc.inputs.class_labels import resolve_class
from wsloc.inputs.number_kinds import whole_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsloc.inputs.class_labels import ClassIndices
    from wsloc.records import Classes, Sample

SHOWN = 5


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """What each image is labelled with.

    Attributes:
        by_image: image id -> class indices, one at least, sorted.
        errors: image id -> why it has none, one line; together they are all images.
        notes: what a reader must know of labels that were left out.
    """

    by_image: Mapping[str, ClassIndices]
    errors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def labels_of_images(
    samples: Sequence[Sample],
    images: Sequence[str],
    classes: Classes,
    source: str,
    *,
    others_allowed: bool,
) -> ImageLabels:
    """The labels of images, matched by their ids with case, extension and folder forgiven.

    Args:
        samples: labelled images.
        images: ids of those that are looked at.
        classes: what the network's outputs mean.
        source: file or folder of the labels, for messages.
        others_allowed: whether labels that are no class of the network are left out, as objects of a data set that
            it was not trained on; else they are errors, as misspelt ones are.

    Raises:
        DataError: if no image is among the samples, or a label is no class of the network.
    """
    try:
        matching = match(samples, images)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error
    known = _resolved(samples, classes, source, others_allowed=others_allowed)
    by_image: dict[str, ClassIndices] = {}
    errors = {image: f"{image}: {source} has no label for it" for image in matching.unmatched_images}
    others: Counter[str] = Counter()
    for image, sample in matching.pairs:
        indices = {known[label] for label in sample.labels if label in known}
        others.update(label for label in sample.labels if label not in known)
        if indices:
            by_image[image] = tuple(sorted(indices))
        elif sample.labels:
            names = first_names(sample.labels, SHOWN)
            errors[image] = f"{image}: none of its labels ({names}) is a class of the network"
        else:
            errors[image] = f"{image}: {source} has no label for it"
    notes = []
    if matching.unmatched_samples:
        count, names = len(matching.unmatched_samples), first_names(matching.unmatched_samples, SHOWN)
        notes.append(f"{source}: labels of {count:,} images that are not among those given: {names}")
    if others:
        named = [f"{label} ({count:,})" for label, count in others.most_common()]
        notes.append(
            f"{source}: labels that are no class of the network, left out (images): {first_names(named, SHOWN)}"
        )
    return ImageLabels(by_image, errors, tuple(notes))


def _resolved(
    samples: Sequence[Sample], classes: Classes, source: str, *, others_allowed: bool
) -> dict[str, int]:
    """The class index of each label that is a class of the network."""
    known: dict[str, int] = {}
    words = {word.casefold() for word in (*classes.ids, *classes.names)}
    for sample in samples:
        for label in sample.labels:
            text = label.strip()
            index = whole_of(text)
            is_known = text.casefold() in words or (index is not None and index < len(classes))
            if label in known or (others_allowed and not is_known):
                continue
            try:
                known[label] = resolve_class(label, classes)
            except DataError as error:
                raise DataError(f"{source}: {sample.image}: {error}") from error
    return known
