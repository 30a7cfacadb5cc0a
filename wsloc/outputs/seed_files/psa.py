"""psa/<image>.npy: a map a class, as PSA, SEAM and those after them read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs.seed_files.pickled import pickled_npy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds


def psa_npy(seeds: ImageSeeds, numbering: Numbering, maps: npt.NDArray[np.float32]) -> bytes:
    """A dictionary `{class: float32 (height, width), 0-1}`, classes from 0 without the background: readers add 1.

    Args:
        seeds: of an image.
        numbering: of the classes.
        maps: float32 (P, height, width), 0-1, image frame.
    """
    return pickled_npy(
        {value - 1: cells for value, cells in zip(numbering.of_seeds(seeds), maps, strict=True)}
    )
