"""maps/<image>.npz: the activation maps of an image, half the size of float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import MapError
from wsloc.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.records import Classes, Localization


def save_maps(path: Path, localization: Localization, classes: Classes) -> None:
    """Write a record's activation maps as a NumPy archive without pickled objects, whole or not at all.

    Its arrays, with P the number of maps:

        maps         float16 (P, H, W), input frame, each divided by its maximum, so 0-1; times
                     `maximum[:, None, None]` they are the values again
        maximum      float32 (P,), 0 for a map of zeros; the largest magnitude where a map that was not
                     normalised has negative values, and `maps` lies in -1 to 1
        class_index  int64 (P,), empty for a map that carries no class
        class_id     text (P,), likewise
        class_name   text (P,), likewise
        map          text (), the map's name
        image_size   int64 (2,), (height, width) of the upright image, pixels

    Args:
        path: the file, `maps/<image id>.npz`.
        localization: a record that has its activation maps.
        classes: of the network.

    Raises:
        MapError: if a map holds NaN or infinity.
        OutputError: if the file cannot be written.
    """
    if localization.activation_maps is None:
        raise ValueError(
            f"no activation maps are kept for {localization.image}: ask for them when localizing"
        )
    maps = localization.activation_maps  # (P, H, W)
    maximum = np.abs(maps).max(axis=(1, 2), initial=0)  # (P,)
    if not np.isfinite(maximum).all():
        raise MapError(f"{localization.image}: its activation map holds NaN or infinity and is not written")
    divisor = np.where(maximum > 0, maximum, 1)
    arrays = {
        "maps": (maps / divisor[:, None, None]).astype(np.float16),
        "maximum": maximum.astype(np.float32),
        "class_index": np.array(localization.class_indices, dtype=np.int64),
        "class_id": np.array([classes.ids[index] for index in localization.class_indices], dtype=np.str_),
        "class_name": np.array([classes.names[index] for index in localization.class_indices], dtype=np.str_),
        "map": np.array(localization.map, dtype=np.str_),
        "image_size": np.array((localization.height, localization.width), dtype=np.int64),
    }
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)
