"""Which annotation belongs to which image: ids differ in folders, extensions and case from place to place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import numbered_lines
from wsloc.inputs.imagenet import VALIDATION_NAME
from wsloc.inputs.images import EXTENSIONS
from wsloc.inputs.number_kinds import whole_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from wsloc.records import Sample

ID_EXTENSIONS = EXTENSIONS | {".npy", ".npz", ".xml"}  # of pictures, maps and annotations


@dataclass(frozen=True, slots=True)
class Matching:
    """What belongs together, and what is left.

    Attributes:
        pairs: `(image id, sample)`, in the order of the image ids; the sample keeps its own id.
        unmatched_samples: ids of annotated images that none of the images is, in their order.
        unmatched_images: ids of images without annotation, in their order.
        things: what the images are here (`maps`, `predictions`), for messages.
    """

    pairs: tuple[tuple[str, Sample], ...]
    unmatched_samples: tuple[str, ...] = ()
    unmatched_images: tuple[str, ...] = ()
    things: str = "images"

    def sides(self) -> list[tuple[str, tuple[str, ...]]]:
        """What is left on either side, in words, and its names; sides of which nothing is left are absent."""
        sides = (
            (f"annotated but not among the {self.things}", self.unmatched_samples),
            (f"among the {self.things} but not annotated", self.unmatched_images),
        )
        return [(words, names) for words, names in sides if names]

    def notes(self, most: int = 3) -> list[str]:
        """A line for each side that something is left of: how many, and the first `most` names."""
        return [f"{len(names):,} {side}: {first_names(names, most)}" for side, names in self.sides()]


def first_names(names: Sequence[str], most: int) -> str:
    """The first `most` names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def match(samples: Sequence[Sample], image_ids: Sequence[str], things: str = "images") -> Matching:
    """Find each image's annotation: by its id, then with case and extension forgiven, then by its bare name.

    A name that stands for several images, or several samples, matches nothing: no guess is made.

    Args:
        samples: annotated images.
        image_ids: what the images, predictions or maps are called.
        things: which of these they are, for messages.

    Raises:
        DataError: if nothing matches, or an id stands there twice on one side.
    """
    by_id = {sample.image: sample for sample in samples}
    for ids, side in (([sample.image for sample in samples], "annotations"), (image_ids, things)):
        if len(set(ids)) != len(ids):
            raise DataError(f"{Counter(ids).most_common(1)[0][0]} stands twice among the {side}")
    found: dict[str, str] = {}  # image id -> the sample's
    taken: set[str] = set()
    for key in (str, _without_extension, _bare_name):
        if len(found) == min(len(by_id), len(image_ids)):
            break
        samples_of, images_of = _unambiguous(by_id, key), _unambiguous(image_ids, key)
        for name, image in images_of.items():
            sample = samples_of.get(name)
            if sample is not None and image not in found and sample not in taken:
                found[image] = sample
                taken.add(sample)
    if not found:
        raise DataError(_nothing_matched(list(by_id), image_ids))
    return Matching(
        pairs=tuple((image, by_id[found[image]]) for image in image_ids if image in found),
        unmatched_samples=tuple(name for name in by_id if name not in taken),
        unmatched_images=tuple(image for image in image_ids if image not in found),
        things=things,
    )


def _unambiguous(ids: Iterable[str], key: Callable[[str], str]) -> dict[str, str]:
    """Key -> id, for keys that only one id has."""
    found: dict[str, str] = {}
    several: set[str] = set()
    for name in ids:
        if found.setdefault(key(name), name) != name:
            several.add(key(name))
    return {name: image for name, image in found.items() if name not in several}


def _without_extension(image: str) -> str:
    """The id in lower case, without any extension that pictures or maps have: `a/B.JPEG.npy` is `a/b`."""
    name = image.replace("\\", "/").removeprefix("./").casefold()
    while True:
        start, dot, extension = name.rpartition(".")
        if not start or start.endswith("/") or dot + extension not in ID_EXTENSIONS:
            return name
        name = start


def _bare_name(image: str) -> str:
    return _without_extension(image).rpartition("/")[2]


def _nothing_matched(samples: Sequence[str], images: Sequence[str]) -> str:
    if not samples or not images:
        return f"no {'image' if samples else 'annotation'} to match"
    reason = "their names are alike, but each stands for several" if _alike(samples, images) else ""
    return (
        f"none of the {len(images):,} images is among the {len(samples):,} annotated ones: the images are called "
        f"like `{images[0]}`, the annotations' like `{samples[0]}`{reason and f' ({reason})'}"
    )


def _alike(samples: Sequence[str], images: Sequence[str]) -> bool:
    return not {_bare_name(name) for name in samples}.isdisjoint(_bare_name(image) for image in images)


def read_blacklist(path: Path, image_ids: Sequence[str]) -> frozenset[str]:
    """The images that are left out of the localization error.

    Args:
        path: a list of images, one a line: numbers of ILSVRC validation images, from 1 (as in the development
            kits), or image ids, case, extension and folder forgiven.
        image_ids: what the images are called.

    Returns:
        Those of `image_ids` that are listed; what is listed and not there (the list is for all 50,000) is
        passed over.

    Raises:
        DataError: if the file cannot be read, holds nothing, or lists numbers or ids of which none could be
            one of these images.
    """
    images_of: dict[str, list[str]] = {}
    for image in image_ids:
        images_of.setdefault(_bare_name(image), []).append(image)
    listed: set[str] = set()
    counted = False
    for number, line in numbered_lines(path):
        name = _bare_name(line)
        if name not in images_of and line.lstrip("+-").isdecimal():
            place = whole_of(line.removeprefix("+"))
            if not place:
                raise DataError(f"{path}:{number}: images are counted from 1, found {line[:60]}")
            name, counted = VALIDATION_NAME.format(place).casefold(), True
        listed.add(name)
    found = frozenset(image for name in listed for image in images_of.get(name, ()))
    validation = VALIDATION_NAME.split("{", maxsplit=1)[0].casefold()
    could_be = counted and any(name.startswith(validation) for name in images_of)
    if not listed:
        raise DataError(f"{path}: holds no images")
    if not found and not could_be:
        example = image_ids[0] if image_ids else ""
        raise DataError(f"{path}: it lists none of these images, which are called like `{example}`")
    return found
