"""npz/<image>.npz: the maps that seeds were made of, half the size of float32, and the seeds themselves."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds


def maps_npz(seeds: ImageSeeds, numbering: Numbering, maps: npt.NDArray[np.float32]) -> bytes:
    """A NumPy archive without pickled objects, which `wsloc eval --maps` reads, too.

        maps         float16 (P, height, width), image frame, each divided by its maximum, so 0-1
        seeds        uint8 (height, width): 0 background, the class at place p is p + 1, 255 ignore
        values       int64 (P,), the numbers of these classes in the index PNGs
        class_index  int64 (P,)
        class_id     text (P,)
        class_name   text (P,)
        map          text (), the map's name
        image_size   int64 (2,), (height, width) of the upright image, pixels

    Args:
        seeds: of an image.
        numbering: of the classes.
        maps: float32 (P, height, width), 0-1, image frame.
    """
    ids, names = numbering.classes.ids, numbering.classes.names
    stream = BytesIO()
    np.savez(
        stream,
        maps=maps.astype(np.float16),
        seeds=seeds.seed_mask,
        values=np.array(numbering.of_seeds(seeds), np.int64),
        class_index=np.array(seeds.class_indices, np.int64),
        class_id=np.array([ids[index] for index in seeds.class_indices], np.str_),
        class_name=np.array([names[index] for index in seeds.class_indices], np.str_),
        map=np.array(seeds.map, np.str_),
        image_size=np.array(seeds.image_size, np.int64),
    )
    return stream.getvalue()
