"""Pictures beside ready-made guesses and maps: nothing is computed on them; they give sizes, and cases to look at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsloc.errors import ImageError
from wsloc.inputs.annotations.matching import match
from wsloc.inputs.images import find_images, picture_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsloc.evaluation.scores import Scores
    from wsloc.inputs.annotations.matching import Matching
    from wsloc.records import Sample


def with_pictures(
    samples: Sequence[Sample], images: Sequence[str | Path] | None
) -> tuple[list[Sample], Matching | None]:
    """Samples with the paths of the pictures that are named, and how these were matched.

    Args:
        samples: annotated images; without a picture here, their own path stays.
        images: files, folders or `@list.txt`; None for the pictures that the annotations name.

    Raises:
        ImageError: if a place is not there, or holds no image.
        DataError: if a list cannot be read, or no picture is annotated.
    """
    if images is None:
        return list(samples), None
    files = {file.image: file.path for file in find_images(images)}
    matching = match(samples, list(files), "pictures")
    paths = {sample.image: files[image] for image, sample in matching.pairs}
    return [replace(sample, path=paths.get(sample.image, sample.path)) for sample in samples], matching


def with_sizes(samples: Sequence[Sample]) -> tuple[list[Sample], dict[str, str]]:
    """Samples with their pictures' sizes where annotations carry none, and why some pictures cannot be read.

    Returns:
        The samples, and image id -> error.
    """
    sized, errors = [], {}
    for sample in samples:
        size = None
        if sample.image_size is None and sample.path is not None and sample.path.is_file():
            try:
                size = picture_size(sample.path)
            except ImageError as error:
                errors[sample.image] = str(error)
        sized.append(sample if size is None else replace(sample, image_size=size))
    return sized, errors


def add_sizes(scores: Scores) -> None:
    """Note the sizes that neither annotations nor guesses have told; a picture that cannot be read tells none."""
    for row, sample in enumerate(scores.samples):
        if not scores.truth.image_sizes[row].all():
            (found,), _ = with_sizes([sample])
            if found.image_size is not None:
                scores.set_size(row, found.image_size)
