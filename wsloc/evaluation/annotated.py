"""What images are scored against: annotations, and which of the images they speak of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.matching import first_names, match, read_blacklist
from wsloc.inputs.annotations.restricting import only_classes, restricted
from wsloc.inputs.images import find_images
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsloc.inputs.annotations.matching import Matching
    from wsloc.records import Classes, Sample

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Annotated:
    """What to score against.

    Attributes:
        path: file or folder of annotations.
        annotation_format: of `ANNOTATION_FORMATS`, or `auto`.
        blacklist: file of images that are left out of localization, or None.
        classes: the labels that are scored, upper and lower case forgiven; empty for all.
    """

    path: Path
    annotation_format: str = "auto"
    blacklist: Path | None = None
    classes: tuple[str, ...] = ()

    def read(self) -> list[Sample]:
        """The labelled samples, as far as the classes go.

        Raises:
            DataError: if the annotations cannot be read, none has a label, or one of the classes is not there.
        """
        samples = [sample for sample in read_annotations(self.path, self.annotation_format) if sample.labels]
        if not samples:
            raise DataError(f"{self.path}: no image in it has a label: nothing can be scored")
        return only_classes(samples, self.classes, str(self.path)) if self.classes else samples

    def listed(self, ids: Sequence[str]) -> frozenset[str]:
        """The ids that the blacklist names; read once, since it may be a pipe."""
        return frozenset() if self.blacklist is None else read_blacklist(self.blacklist, ids)


@dataclass(frozen=True, slots=True)
class AnnotatedImages:
    """Pictures and what is said of them.

    Attributes:
        files: the pictures that are annotated.
        matching: how they were matched; its pairs are in the order of the files.
        notes: what a reader must know of what was left out.
    """

    files: list[ImageFile]
    matching: Matching
    notes: tuple[str, ...] = ()


def annotated_images(
    images: Sequence[str | Path] | None,
    annotated: Annotated,
    classes: Classes | None = None,
    option: str = "IMAGES",
) -> AnnotatedImages:
    """The pictures that are annotated.

    Args:
        images: files, folders or `@list.txt`; None for the pictures that the annotations name.
        annotated: the annotations.
        classes: of the network. Where the annotations have masks of numbered classes, objects of other classes
            count as background, and images that show none of the network's are left out; elsewhere other classes
            are for the scores to refuse.
        option: what such pictures are given as, for messages.

    Raises:
        ImageError: if a place is not there, or holds no image.
        DataError: if annotations or a list cannot be read, name no pictures where none are given, or fit none.
    """
    files = None if images is None else find_images(images)
    samples = annotated.read()
    if files is None:
        files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
        if not files:
            raise DataError(f"{annotated.path}: its annotations name no pictures: give them too, as {option}")
    matching = match(samples, [file.image for file in files])
    by_id = {file.image: file for file in files}
    # The picture that is shown is the one that was scored; most formats name none.
    pairs = [(image, replace(sample, path=by_id[image].path)) for image, sample in matching.pairs]
    notes: list[str] = []
    if classes is not None and any(sample.mask_labels for _, sample in pairs):
        words = {word.casefold() for word in (*classes.ids, *classes.names)}
        found = restricted([sample for _, sample in pairs], lambda label: label.strip().casefold() in words)
        if not found.samples:
            names, others = (first_names(some, SHOWN) for some in (classes.names, found.other_labels))
            raise DataError(
                f"{annotated.path}: its classes ({others}) and the network's ({names}) have none in common"
            )
        notes = found.notes()
        left = {sample.image: sample for sample in found.samples}
        pairs = [(image, left[sample.image]) for image, sample in pairs if sample.image in left]
    files = [by_id[image] for image, _ in pairs]
    return AnnotatedImages(files, replace(matching, pairs=tuple(pairs)), tuple(notes))
