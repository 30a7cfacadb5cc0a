"""Images read ahead: decoded and resized by worker processes, handed over in batches, in their order."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs.images import decode, printable
from wsloc.inputs.workers import LostWorkerError, read_lists_ahead
from wsloc.records import Failure, ImageFile
from wsloc.running.shards import count_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsloc.inputs.preprocessing import Preprocessing

PICTURE_LIMIT = 2048  # pixels of an overlay's longer side: a picture of 50 megapixels need not be drawn whole


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A decoded image, ready for the network.

    Attributes:
        image: its id.
        image_size: (height, width) of the upright original, pixels.
        pixels: uint8 (H, W, 3), RGB at the input's size.
        picture: uint8 (H', W', 3), RGB, upright, at most 2,048 pixels long; None where no overlay is drawn.
        seconds: that reading, decoding and resizing took; 0 if it did not come from a file.
    """

    image: str
    image_size: tuple[int, int]
    pixels: npt.NDArray[np.uint8]
    picture: npt.NDArray[np.uint8] | None
    seconds: float = 0.0

    @property
    def key(self) -> int:
        """A number of what it shows, wherever its file lies: what random maps of it are drawn from."""
        return int.from_bytes(blake2b(self.pixels.tobytes(), digest_size=8).digest(), "little")


LoadedBatch = list[LoadedImage | Failure]


def decoding_seconds(batch: LoadedBatch) -> float:
    """What reading, decoding and resizing a batch took, wherever that was done."""
    return sum(item.seconds for item in batch if isinstance(item, LoadedImage))


def load(file: ImageFile, preprocessing: Preprocessing, *, with_picture: bool) -> LoadedImage | Failure:
    """One image off the disk; a failure is a record, not an exception, so that a run goes on."""
    start = time.perf_counter()
    try:
        picture = decode(file.path)
    except ImageError as error:
        return Failure(file.image, str(error))
    try:
        loaded = prepare(file.image, picture, preprocessing, with_picture=with_picture)
        return replace(loaded, seconds=time.perf_counter() - start)
    except ImageError as error:
        return Failure(file.image, f"{printable(file.path)}: {error}")


def prepare(
    image: str, picture: Image.Image, preprocessing: Preprocessing, *, with_picture: bool
) -> LoadedImage:
    """An upright RGB picture at the input's size, with a copy to draw on where asked for.

    Raises:
        ImageError: if that does not fit into memory; does not name the image.
    """
    size = (picture.height, picture.width)
    try:
        pixels = preprocessing.resized(picture)
        if not with_picture:
            return LoadedImage(image, size, pixels, None)
        if max(size) > PICTURE_LIMIT:
            picture = picture.copy()
            picture.thumbnail((PICTURE_LIMIT, PICTURE_LIMIT), Image.Resampling.BILINEAR)
        return LoadedImage(image, size, pixels, np.asarray(picture))
    except MemoryError as error:
        height, width = preprocessing.input_size(size)
        raise ImageError(
            f"an input of {width} x {height} pixels does not fit into memory: try a smaller --image-size"
        ) from error


def load_batches(
    files: Sequence[ImageFile],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int,
    with_picture: bool = False,
    numbers: Sequence[int] | None = None,
) -> Iterator[LoadedBatch]:
    """The images in batches, in their order; at most one batch a worker is held.

    Args:
        files: what to read.
        preprocessing: how it becomes an input.
        batch_size: images a batch.
        workers: processes that decode and resize; 0 does it in this one, as a single batch is in any case.
        with_picture: whether to keep the upright picture for an overlay.
        numbers: of the batches, from 0, that are wanted; None for all. Batches are cut from all files in any case.

    Raises:
        ImageError: if a worker process was killed, naming the image it was at; an image that fails is a `Failure` in
            its batch.
    """
    if numbers is None:
        numbers = range(count_batches(len(files), batch_size))
    batches = [files[number * batch_size : (number + 1) * batch_size] for number in numbers]
    work = partial(_load_batch, batches, preprocessing, with_picture)
    try:
        # Of a single batch there is nothing to read ahead.
        yield from read_lists_ahead(work, len(batches), workers if len(batches) > 1 else 0)
    except LostWorkerError as error:
        batch = batches[error.number]
        at = batch if error.item is None else batch[error.item : error.item + 1] or batch
        images = printable(at[0].path) if len(at) == 1 else f"images {at[0].image} to {at[-1].image}"
        raise ImageError(f"{images}: {error}: try a smaller --batch-size, or --workers 0") from error


def _load_batch(
    batches: Sequence[Sequence[ImageFile]], preprocessing: Preprocessing, with_picture: bool, number: int
) -> Iterator[LoadedImage | Failure]:
    for file in batches[number]:
        yield load(file, preprocessing, with_picture=with_picture)
