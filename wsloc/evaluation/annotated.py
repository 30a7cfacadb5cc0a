"""What images are scored against: annotations, and which of the images they speak of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.matching import match, read_blacklist
from wsloc.inputs.images import find_images
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsloc.inputs.annotations.matching import Matching
    from wsloc.records import Sample


@dataclass(frozen=True, slots=True)
class Annotated:
    """What to score against.

    Attributes:
        path: file or folder of annotations.
        annotation_format: of `ANNOTATION_FORMATS`, or `auto`.
        blacklist: file of images that are left out of localization, or None.
    """

    path: Path
    annotation_format: str = "auto"
    blacklist: Path | None = None

    def read(self) -> list[Sample]:
        """The labelled samples.

        Raises:
            DataError: if the annotations cannot be read, or none has a label.
        """
        samples = [sample for sample in read_annotations(self.path, self.annotation_format) if sample.labels]
        if not samples:
            raise DataError(f"{self.path}: no image in it has a label: nothing can be scored")
        return samples

    def listed(self, ids: Sequence[str]) -> frozenset[str]:
        """The ids that the blacklist names; read once, since it may be a pipe."""
        return frozenset() if self.blacklist is None else read_blacklist(self.blacklist, ids)


def annotated_images(
    images: Sequence[str | Path] | None, annotated: Annotated, option: str = "IMAGES"
) -> tuple[list[ImageFile], Matching]:
    """The pictures that are annotated, and how they were matched; the pairs are in the order of the pictures.

    Args:
        images: files, folders or `@list.txt`; None for the pictures that the annotations name.
        annotated: the annotations.
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
    pairs = tuple((image, replace(sample, path=by_id[image].path)) for image, sample in matching.pairs)
    return [by_id[image] for image, _ in pairs], replace(matching, pairs=pairs)
