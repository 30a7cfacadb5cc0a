"""Images read ahead by worker processes, a bounded number in flight, handed over in their order."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from wsloc.errors import ImageError
from wsloc.inputs.images import decode
from wsloc.records import Failure, ImageFile

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
    """

    image: str
    image_size: tuple[int, int]
    pixels: npt.NDArray[np.uint8]
    picture: npt.NDArray[np.uint8] | None


LoadedBatch = list[LoadedImage | Failure]


def load(file: ImageFile, preprocessing: Preprocessing, *, with_picture: bool) -> LoadedImage | Failure:
    """One image off the disk; a failure is a record, not an exception, so that a run goes on."""
    try:
        picture = decode(file.path)
    except ImageError as error:
        return Failure(file.image, str(error))
    return prepare(file.image, picture, preprocessing, with_picture=with_picture)


def prepare(
    image: str, picture: Image.Image, preprocessing: Preprocessing, *, with_picture: bool
) -> LoadedImage:
    """An upright RGB picture at the input's size, with a copy to draw on where asked for."""
    size = (picture.height, picture.width)
    pixels = preprocessing.resized(picture)
    if not with_picture:
        return LoadedImage(image, size, pixels, None)
    if max(size) > PICTURE_LIMIT:
        picture = picture.copy()
        picture.thumbnail((PICTURE_LIMIT, PICTURE_LIMIT), Image.Resampling.BILINEAR)
    return LoadedImage(image, size, pixels, np.asarray(picture))


class _Batches(Dataset[LoadedBatch]):
    """Batch i of a list of images."""

    def __init__(
        self, files: Sequence[ImageFile], preprocessing: Preprocessing, batch_size: int, *, with_picture: bool
    ) -> None:
        self.files = files
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.with_picture = with_picture

    def __len__(self) -> int:
        return -(-len(self.files) // self.batch_size)

    def __getitem__(self, number: int) -> LoadedBatch:
        members = self.files[number * self.batch_size : (number + 1) * self.batch_size]
        return [load(file, self.preprocessing, with_picture=self.with_picture) for file in members]


def load_batches(
    files: Sequence[ImageFile],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int,
    with_picture: bool = False,
) -> Iterator[LoadedBatch]:
    """The images in batches, in their order; at most two batches a worker are held.

    Args:
        files: what to read.
        preprocessing: how it becomes an input.
        batch_size: images a batch.
        workers: processes that decode and resize; 0 does it in this one.
        with_picture: whether to keep the upright picture for an overlay.
    """
    loader: DataLoader[LoadedBatch] = DataLoader(
        _Batches(files, preprocessing, batch_size, with_picture=with_picture),
        batch_size=None,
        num_workers=workers,
        collate_fn=_unchanged,
        worker_init_fn=ignore_interrupts,
    )
    yield from loader


def ignore_interrupts(_worker: int) -> None:
    """Ctrl-C reaches the whole process group: only the main process answers it, and ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _unchanged(batch: LoadedBatch) -> LoadedBatch:
    """NumPy arrays travel through the workers' pipes: no shared memory, which containers keep small."""
    return batch
