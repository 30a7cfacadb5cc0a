"""Pictures as Python users have them - files, Pillow images, arrays - ready for a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs.images import upright_rgb
from wsloc.inputs.loading import LoadedImage, load, prepare
from wsloc.records import Failure, ImageFile

if TYPE_CHECKING:
    from wsloc.inputs.preprocessing import Preprocessing

Picture = str | Path | Image.Image | np.ndarray[Any, Any]


def load_picture(picture: Picture, name: str, preprocessing: Preprocessing) -> LoadedImage:
    """A picture at the input's size, with a copy to draw on; an EXIF orientation is applied.

    Args:
        picture: a path, a Pillow image of any mode, or a uint8 array (H, W, 3) or (H, W).
        name: its id, unless it is a file, which has its own name.
        preprocessing: how it becomes an input.

    Raises:
        ImageError: if it is none of these, has no pixels, or cannot be decoded.
    """
    if isinstance(picture, str | Path):
        path = Path(picture)
        loaded = load(ImageFile(path.name, path), preprocessing, with_picture=True)
        if isinstance(loaded, Failure):
            raise ImageError(loaded.error)
        return loaded
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
            raise ImageError(
                f"{name}: expected a uint8 array (H, W, 3) or (H, W), got {picture.dtype} {picture.shape}"
            )
        picture = Image.fromarray(picture)
    if not isinstance(picture, Image.Image):
        raise ImageError(
            f"{name}: expected a path, a Pillow image or a NumPy array, got {type(picture).__name__}"
        )
    if not picture.width or not picture.height:
        raise ImageError(f"{name}: has no pixels")
    try:
        return prepare(name, upright_rgb(picture), preprocessing, with_picture=True)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
