"""Pictures with a mask each: an image's labels are the classes that are present in its mask.

ROOT/images/**/<image>.jpg   or another extension of pictures; may be absent
ROOT/masks/**/<image>.png    class values, 0 is the background and 255 void
ROOT/classes.json            what the values mean (see `mask_classes`); without it they are VOC's, if the masks have
                             VOC's colours
ROOT/<split>.txt             images of a split, one a line, with or without extension
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import numbered_lines
from wsloc.inputs.images import EXTENSIONS, find_images, printable
from wsloc.inputs.mask_classes import FILE_NAME, VOC_CLASSES, read_mask_classes
from wsloc.inputs.masks import has_voc_palette, read_mask, renumbered, value_table
from wsloc.records import ImageFile, Sample

if TYPE_CHECKING:
    from pathlib import Path

PICTURES, MASKS = "images", "masks"
Labels = tuple[tuple[int, str], ...]


def matches(root: Path) -> bool:
    """Whether `root` has a folder of PNG masks beside its images, or is a list in such a folder."""
    if root.is_file():
        return root.suffix.lower() == ".txt" and matches(root.parent)
    return any((root / MASKS).rglob("*.png")) and ((root / PICTURES).is_dir() or (root / FILE_NAME).is_file())


def read(root: Path) -> list[Sample]:
    """A sample a mask, or a listed image; labels in the order of their values, none for a mask of background.

    Ids are the pictures' paths relative to `images`; where there is no picture, the mask's without its extension.

    Args:
        root: the folder, for every mask; or a list of images that lies in it.

    Raises:
        DataError: if there are no masks, a listed image has none, one cannot be read or holds a value without a
            class, two pictures share a mask, or nothing says what the values mean.
    """
    folder = root.parent if root.is_file() else root
    masks = {
        _stem(file.relative_to(folder / MASKS)): file for file in sorted((folder / MASKS).rglob("*.png"))
    }
    if not masks:
        raise DataError(f"{printable(folder / MASKS)}: no PNG masks in it")
    names = _listed(root, masks) if root.is_file() else list(masks)
    if not names:
        raise DataError(f"{printable(root)}: holds no images")
    labels = _numbering(folder, masks[names[0]])
    pictures = _pictures(folder / PICTURES)
    return [_sample(name, pictures.get(name), masks[name], labels) for name in names]


def _sample(name: str, picture: ImageFile | None, path: Path, labels: Labels) -> Sample:
    mask = read_mask(path)
    # Read here though the classes may be restricted later: a mask with other values must not pass.
    present = np.unique(renumbered(mask, value_table({value: value for value, _ in labels}), path)).tolist()
    return Sample(
        name if picture is None else picture.image,
        None if picture is None else picture.path,
        tuple(label for value, label in labels if value in present),
        (mask.shape[0], mask.shape[1]),
        masks=(path,),
        mask_labels=labels,
    )


def _numbering(folder: Path, mask: Path) -> Labels:
    """What the values mean."""
    if (folder / FILE_NAME).is_file():
        classes = read_mask_classes(folder / FILE_NAME)
    elif has_voc_palette(mask):
        classes = VOC_CLASSES
    else:
        raise DataError(
            f"{printable(mask)}: has not VOC's colours, and there is no {FILE_NAME} in {printable(folder)} that says "
            "what its values mean: write one"
        )
    return tuple(sorted((entry.value, entry.class_id) for entry in classes))


def _pictures(folder: Path) -> dict[str, ImageFile]:
    """The pictures by their ids without extension."""
    found: dict[str, ImageFile] = {}
    for file in find_images([folder]) if folder.is_dir() else ():
        first = found.setdefault(_without_extension(file.image), file)
        if first is not file:
            raise DataError(
                f"{printable(folder)}: {first.image} and {file.image} would share a mask: rename one"
            )
    return found


def _listed(path: Path, masks: dict[str, Path]) -> list[str]:
    """The names in a list, each once."""
    names: dict[str, None] = {}
    for number, line in numbered_lines(path):
        name = line if line in masks else _without_extension(line)
        if name not in masks:
            raise DataError(
                f"{printable(path)}:{number}: {line} has no mask {path.parent / MASKS / name}.png"
            )
        names[name] = None
    return list(names)


def _stem(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _without_extension(image: str) -> str:
    start, dot, extension = image.rpartition(".")
    return start if (dot + extension).lower() in EXTENSIONS else image
