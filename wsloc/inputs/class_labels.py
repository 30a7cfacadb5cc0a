"""What users call a class - an index, an id, a name in words - resolved to the network's outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.inputs.annotations import labels_csv, tiny_imagenet
from wsloc.inputs.number_kinds import is_whole, whole_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsloc.records import Classes, Sample

TOP = {"top1": 1, "top5": 5}
ClassIndices = tuple[int, ...]


def resolve_class(label: str | int, classes: Classes) -> int:
    """The output index of a class.

    Args:
        label: its id (wnid or folder), index or name in words, in this order, where a class is called by a
            number; an `int` is an index in any case. Upper and lower case do not matter.
        classes: what the outputs mean.

    Raises:
        DataError: if there is no such class, or several of that name.
    """
    text = str(label).strip()
    if isinstance(label, str) and text in classes.ids:
        return classes.ids.index(text)
    index = whole_of(text)
    if index is not None and index < len(classes):
        return index
    lowered = text.casefold()
    matching = [
        index
        for index, (class_id, name) in enumerate(zip(classes.ids, classes.names, strict=True))
        if lowered in (class_id.casefold(), name.casefold())
    ]
    if not matching:
        raise DataError(
            f"no class {text!r} among the network's {len(classes)} classes: {_hint(lowered, classes)}"
        )
    if len(matching) > 1:
        ids = ", ".join(f"{classes.ids[index]} (index {index})" for index in matching)
        raise DataError(f"several classes are called {text!r}: name one of {ids}")
    return matching[0]


def _hint(lowered: str, classes: Classes, most: int = 8) -> str:
    """What a class may be called instead."""
    if lowered.removeprefix("-").isdecimal():
        return f"indices run from 0 to {len(classes) - 1}"
    spelled = {word.casefold(): word for word in (*classes.ids, *classes.names)}
    close = get_close_matches(lowered, spelled, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(spelled[word] for word in close)}?"
    return f"they are {', '.join(classes.names[:most])}" + (", ..." if len(classes) > most else "")


def resolve_choice(wanted: str | int | Sequence[str | int], classes: Classes) -> int | ClassIndices:
    """`top1` and `top5` as that number; anything else as the indices of the classes named, each once.

    Raises:
        DataError: if a class is not known, a top is mixed with names, or it is something else altogether.
    """
    given: Any = wanted
    if isinstance(given, str) or is_whole(given):
        given = [given]
    if not isinstance(given, Iterable):
        raise DataError(f"classes are top1, top5, an index, a name, or a list of these, not {wanted!r}")
    labels = [int(label) if is_whole(label) else str(label) for label in given]
    tops = [str(label) for label in labels if str(label) in TOP]
    if tops and len(labels) > 1:
        raise DataError(f"{tops[0]} stands alone: it cannot be joined with other classes")
    if tops:
        return TOP[tops[0]]
    if not labels:
        raise DataError("no class is named: top1, top5, or names of classes")
    return tuple(dict.fromkeys(resolve_class(label, classes) for label in labels))


def label_samples(path: Path) -> list[Sample]:
    """The samples of a labels file: a CSV `image,label[;label...]`, or Tiny ImageNet's val_annotations.txt.

    Raises:
        DataError: if the file cannot be read.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such labels file: a CSV `image,label` or a val_annotations.txt is expected"
        )
    return tiny_imagenet.read(path) if tiny_imagenet.matches(path) else labels_csv.read(path)


def read_labels(path: Path, classes: Classes) -> dict[str, ClassIndices]:
    """The labels of each image: image id -> class indices.

    Args:
        path: a CSV `image,label[;label...]` with that header, or Tiny ImageNet's val_annotations.txt.
        classes: what the outputs mean.

    Raises:
        DataError: if the file cannot be read, or names a class that the network does not have.
    """
    known: dict[str, int] = {}
    labels: dict[str, ClassIndices] = {}
    for sample in label_samples(path):
        for label in sample.labels:
            if label not in known:
                try:
                    known[label] = resolve_class(label, classes)
                except DataError as error:
                    raise DataError(f"{path}: {sample.image}: {error}") from error
        labels[sample.image] = tuple(dict.fromkeys(known[label] for label in sample.labels))
    return labels


def labels_by_image(images: Sequence[str], labels: Mapping[str, ClassIndices]) -> dict[str, ClassIndices]:
    """The labels of each image of a run, by its id or, where no other image is called so, its bare file name.

    Images without labels are left out: `a/x.jpg` and `b/x.jpg` do not share what is said of `x.jpg`.
    """
    bare = {image: image.rsplit("/", 1)[-1] for image in images}
    called = Counter(bare.values())
    found = {
        image: labels.get(image) or (labels.get(name) if called[name] == 1 else None)
        for image, name in bare.items()
    }
    return {image: named for image, named in found.items() if named}
