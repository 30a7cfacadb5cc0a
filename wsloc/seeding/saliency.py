"""Saliency maps beside the images: where none is salient, the background is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wsloc.errors import DataError
from wsloc.inputs.map_files import find_maps, read_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from wsloc.regions.seed_rules import SeedRule


def find_saliency(rule: SeedRule, images: Sequence[str]) -> Mapping[str, Path] | None:
    """The saliency map of each image, for the rule that takes them; None for other rules.

    Raises:
        DataError: if the folder is not there, or holds a map of none of the images.
    """
    return find_maps(Path(rule.folder), images) if rule.name == "saliency" else None


def read_saliency(
    image: str, paths: Mapping[str, Path], image_size: tuple[int, int]
) -> npt.NDArray[np.float64]:
    """The saliency of an image, (height, width) in 0-1: a gray PNG's values divided by 255.

    Raises:
        DataError: if there is none, it cannot be read, or it is of another size or range.
        MapError: if it holds NaN, or more than one channel.
    """
    if image not in paths:
        raise DataError("has no saliency map: one of its name, png or npy, is wanted in the folder")
    values = read_map(paths[image])
    if values.shape != image_size:
        (rows, columns), (height, width) = values.shape, image_size
        raise DataError(
            f"{paths[image]}: this saliency map is of {columns} x {rows} pixels, its image of {width} x {height}"
        )
    if values.min() < 0 or values.max() > 1:
        raise DataError(f"{paths[image]}: saliency is in 0-1, as gray levels of a PNG or numbers of an array")
    return values
