"""What annotations and ready-made guesses or maps call their classes, brought to one numbering without a network."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.class_labels import resolve_class
from wsloc.inputs.imagenet import VALIDATION_NAME, imagenet_classes
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsloc.inputs.guesses import Guesses
    from wsloc.records import Sample


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The classes that are spoken of, annotated ones first.

    Attributes:
        classes: their ids and names; numbers count these classes, and are no outputs of a network.
        of_labels: label of the annotations -> number.
        of_guesses: class id of the guesses -> number.
        notes: what a reader must know of how labels were understood.
    """

    classes: Classes
    of_labels: Mapping[str, int]
    of_guesses: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """Classes with what else they are called.

    Attributes:
        classes: ids and names.
        words: all of these in lower case.
        by_index: class index of the network -> id; empty where no indices are known.
    """

    classes: Classes
    words: frozenset[str]
    by_index: Mapping[int, str]

    def find(self, label: str) -> str | None:
        """The id of the class that a label means, as `resolve_class` has it, or None.

        Raises:
            DataError: if several classes are called so.
        """
        text = label.strip()
        if text in self.classes.ids:
            return text
        if text.isdecimal():  # here an index is the network's, which need not be the place in `classes`
            return self.by_index.get(int(text))
        if text.casefold() not in self.words:
            return None
        return self.classes.ids[resolve_class(text, self.classes)]


def vocabulary_of_guesses(samples: Sequence[Sample], guesses: Iterable[Guesses]) -> Vocabulary:
    """The classes of annotations and guesses; an integer label is a class index, a wnid an id, words a name.

    Where the guesses carry nothing but ImageNet's wnids, or wnids with their indices in ImageNet, all of its
    1,000 classes are known by index and name. Any other network is known by what its file says.

    Args:
        samples: annotated images.
        guesses: of all images.

    Raises:
        DataError: if one class id stands for several classes, a name is several classes', or annotations and
            guesses have no class in common.
    """
    indices, names = _named(guesses)
    imagenet = imagenet_classes()
    places = {class_id: place for place, class_id in enumerate(imagenet.ids)}
    is_imagenet = bool(indices) and all(
        class_id in places and index in (None, places[class_id]) for class_id, index in indices.items()
    )
    known = _known(imagenet, dict(places)) if is_imagenet else _known(_classes(names), indices)
    labels = _labels(samples)
    meant = {label: known.find(label) for label in labels}
    ids = tuple(dict.fromkeys([*(meant[label] or label for label in labels), *indices]))
    by_number = [label for label in labels if label.strip().isdecimal() and meant[label] != label]
    has_indices = bool(indices) and None not in indices.values()
    # Indices of the file's own network are certain, even where it has guessed none of them.
    certain = has_indices and len(by_number) == len(labels)
    if indices and not certain and indices.keys().isdisjoint(class_id for class_id in meant.values()):
        raise DataError(
            f"predictions and annotations have no class in common: {', '.join([*indices][:3])} against "
            f"{', '.join(labels[:3])}"
        )
    words = dict(zip(imagenet.ids, imagenet.names, strict=True)) if is_imagenet else {}
    classes = Classes(ids, tuple(names.get(class_id) or words.get(class_id, class_id) for class_id in ids))
    number = {class_id: place for place, class_id in enumerate(ids)}
    note = (
        "the annotations' class indices are taken for ImageNet's: the predictions name classes by wnid alone"
    )
    return Vocabulary(
        classes,
        {label: number[meant[label] or label] for label in labels},
        {class_id: number[class_id] for class_id in indices},
        (note,) if by_number and is_imagenet and not has_indices else (),
    )


def vocabulary_of_samples(samples: Sequence[Sample]) -> Vocabulary:
    """The classes of annotations alone; only what is certainly ImageNet's gets its names.

    Indices say nothing of their data set (those of CUB or of a checkpoint begin at 0, too), so they stand as they
    are, unless every image is called as ImageNet's validation images are.
    """
    labels = _labels(samples)
    imagenet = imagenet_classes()
    words = dict(zip(imagenet.ids, imagenet.names, strict=True))
    start = VALIDATION_NAME.split("{", maxsplit=1)[0]
    if all(sample.image.rpartition("/")[2].startswith(start) for sample in samples):
        words |= {str(index): name for index, name in enumerate(imagenet.names)}
    numbers = {label: number for number, label in enumerate(labels)}
    return Vocabulary(Classes(tuple(labels), tuple(words.get(label, label) for label in labels)), numbers, {})


def _classes(names: Mapping[str, str]) -> Classes:
    return Classes(tuple(names), tuple(name or class_id for class_id, name in names.items()))


def _known(classes: Classes, indices: Mapping[str, int | None]) -> _Known:
    """Classes whose ids have these indices."""
    # Where ids are numbers of their own (folders called 1 to 200), digits mean those, as in a live run.
    are_numbers = any(class_id.isdecimal() and class_id != str(indices[class_id]) for class_id in classes.ids)
    known = ((index, class_id) for class_id, index in indices.items() if index is not None)
    words = frozenset(word.casefold() for word in chain(classes.ids, classes.names))
    return _Known(classes, words, {} if are_numbers else dict(known))


def _labels(samples: Sequence[Sample]) -> list[str]:
    """Every label of images, then of boxes, each once."""
    images = chain.from_iterable(sample.labels for sample in samples)
    boxes = (label for sample in samples for label, _ in sample.boxes)
    return list(dict.fromkeys(chain(images, boxes)))


def _named(guesses: Iterable[Guesses]) -> tuple[dict[str, int | None], dict[str, str]]:
    """Class index and name of each class id that is guessed; None and "" where the file has none."""
    indices: dict[str, int | None] = {}
    names: dict[str, str] = {}
    ids: dict[int, str] = {}
    for guess in guesses:
        for place, class_id in enumerate(guess.labels):
            index = guess.indices[place] if guess.indices else None
            first = class_id if index is None else ids.setdefault(index, class_id)
            if indices.setdefault(class_id, index) != index or first != class_id:
                raise DataError(
                    f"{guess.where or guess.image}: class {class_id} with index {index} contradicts the lines "
                    "before: score one network's predictions at a time"
                )
            names.setdefault(class_id, guess.names[place] if guess.names else "")
    return indices, names
