"""irn/<image>.npy: the dictionary that IRN's `make_cam` step leaves for the steps behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.outputs.seed_files.pickled import Tensor, pickled_npy
from wsloc.regions.frames import maps_to_image

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds

STRIDE = 4


def irn_npy(seeds: ImageSeeds, numbering: Numbering, maps: npt.NDArray[np.float32]) -> bytes:
    """IRN's `{"keys": ..., "cam": ..., "high_res": ...}` (Ahn et al., CVPR 2019).

        keys       int64 tensor (P,), from 0 without the background: its readers add 1
        cam        float32 tensor (P, ceil(height / 4), ceil(width / 4)), 0-1
        high_res   float32 array (P, height, width), 0-1

    Args:
        seeds: of an image.
        numbering: of the classes.
        maps: float32 (P, height, width), 0-1, image frame.
    """
    height, width = seeds.image_size
    coarse = maps_to_image(maps, (-(-height // STRIDE), -(-width // STRIDE)))
    coarse /= np.maximum(coarse.max(axis=(1, 2), keepdims=True), np.float32(1e-5))
    keys = np.array(numbering.of_seeds(seeds), np.int64) - 1
    return pickled_npy({"keys": Tensor(keys), "cam": Tensor(coarse), "high_res": maps})
