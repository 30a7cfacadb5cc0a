"""A folder per class: ROOT/<class>/**/<image>; the folder's name is the class id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.errors import DataError, ImageError
from wsloc.inputs.images import find_images
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def matches(root: Path) -> bool:
    """Whether `root` has sub-folders (hidden ones aside)."""
    return root.is_dir() and any(
        entry.is_dir() and not entry.name.startswith(".") for entry in root.iterdir()
    )


def read(root: Path) -> list[Sample]:
    """The images under each class folder, as samples with one label; ids relative to `root`.

    Raises:
        DataError: if no image lies in a class folder.
    """
    try:
        files = find_images([root])
    except ImageError as error:
        raise DataError(f"{root}: no images in it; a folder per class is expected") from error
    samples = [
        Sample(file.image, file.path, labels=(file.image.split("/")[0],))
        for file in files
        if "/" in file.image
    ]
    if not samples:
        raise DataError(f"{root}: its images lie in no class folder ({root}/<class>/<image> is expected)")
    return samples
