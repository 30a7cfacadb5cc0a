"""Seeds on disk: an index PNG an image, as `wsloc seeds` writes them, or as any system has them in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.images import printable
from wsloc.inputs.map_files import find_maps, other_maps
from wsloc.inputs.mask_classes import FILE_NAME, read_mask_classes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsloc.inputs.mask_classes import MaskClass

FOLDERS = ("png", "gray")  # of what `wsloc seeds` writes: the same values, with and without colours
EXTENSIONS = (".png",)


@dataclass(frozen=True, slots=True)
class SeedFiles:
    """The seeds of a data set.

    Attributes:
        folder: where the PNGs are.
        paths: image id -> its PNG; images without one are left out.
        others: PNGs of none of the images, relative to the folder.
        classes: what the values mean, or None where nothing says it.
    """

    folder: Path
    paths: Mapping[str, Path]
    others: tuple[str, ...]
    classes: tuple[MaskClass, ...] | None


def find_seeds(folder: Path, image_ids: Sequence[str]) -> SeedFiles:
    """Find each image's index PNG: `<image id without extension>.png`, names forgiven as for maps.

    Args:
        folder: what `wsloc seeds` wrote, with `png` or `gray` in it, or a folder of such PNGs; `classes.json` lies
            in it, or beside it.
        image_ids: what the images are called.

    Raises:
        DataError: if there are no such PNGs or none is of an image, or `classes.json` is malformed.
    """
    if not folder.is_dir():
        raise DataError(f"{printable(folder)}: is no folder of seeds: name the one that `wsloc seeds` wrote")
    place = next((folder / name for name in FOLDERS if (folder / name).is_dir()), folder)
    if place is folder and (folder / FILE_NAME).is_file() and next(folder.glob("*.png"), None) is None:
        raise DataError(
            f"{printable(folder)}: holds no index PNGs: make seeds with --format png or gray (maps of npz are scored "
            "with --maps)"
        )
    paths = find_maps(place, image_ids, extensions=EXTENSIONS, thing="mask")
    beside = [folder / FILE_NAME, *([folder.parent / FILE_NAME] if folder.name in FOLDERS else [])]
    numbering = next((path for path in beside if path.is_file()), None)
    return SeedFiles(
        place,
        paths,
        other_maps(place, paths.values(), EXTENSIONS),
        None if numbering is None else read_mask_classes(numbering),
    )
