"""Labelled images for training: decoded, augmented and batched; every draw keyed, so that a resumed run repeats."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from wsloc.errors import DataError, ImageError, TrainingError
from wsloc.inputs.images import decode, printable
from wsloc.inputs.workers import LostWorkerError, read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from wsloc.inputs.extra_supervision import ExtraSample
    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.records import Classes, Sample

Array = npt.NDArray[np.uint8] | npt.NDArray[np.float32] | npt.NDArray[np.int64] | npt.NDArray[np.bool_]
Batch = tuple[Array, ...]
ASPECTS = (3 / 4, 4 / 3)  # of random crops, as Inception's augmentation has them


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What training pictures go through.

    Attributes:
        smallest_crop: least share (0-1) of a picture's area that a random crop keeps; 1 keeps the whole.
        flip: whether half of the pictures are mirrored.
        shorter_side: if given, scale and crop as in Krizhevsky's and He's trainings, in place of a random share of
            the picture: its shorter side is resized to a length drawn from this range, pixels, and a square of the
            input's size cut out at random.
    """

    smallest_crop: float = 0.35
    flip: bool = True
    shorter_side: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a picture, as it is to be seen.

    Attributes:
        box: edges in the picture's pixels, not rounded.
        mirrored: whether left and right change places.
    """

    box: tuple[float, float, float, float]
    mirrored: bool

    def of(
        self, picture: Image.Image, size: int, resampling: Image.Resampling = Image.Resampling.BILINEAR
    ) -> npt.NDArray[np.uint8]:
        """The part, resized to `size` pixels a side in one step: (size, size, 3), or (size, size) of a gray picture."""
        pixels = np.asarray(picture.resize((size, size), resampling, box=self.box))
        return np.ascontiguousarray(pixels[:, ::-1]) if self.mirrored else pixels


def drawn_cut(
    picture: Image.Image, size: int, augmentation: Augmentation, random: np.random.Generator
) -> Cut:
    """A random crop of `picture` for an input of `size` pixels, mirrored half of the time."""
    crop = (
        _share_crop(picture, augmentation.smallest_crop, random)
        if augmentation.shorter_side is None
        else _scale_crop(picture, size, augmentation.shorter_side, random)
    )
    return Cut(crop, augmentation.flip and random.random() < 0.5)


def _share_crop(
    picture: Image.Image, smallest: float, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """A crop of a random share of the area and a random aspect: edges in the picture's pixels."""
    area = picture.width * picture.height * random.uniform(smallest, 1)
    aspect = math.exp(random.uniform(*np.log(ASPECTS))) if smallest < 1 else 1.0
    width = min(picture.width, max(1.0, math.sqrt(area * aspect)))
    height = min(picture.height, max(1.0, math.sqrt(area / aspect)))
    if smallest >= 1:
        width, height = float(picture.width), float(picture.height)
    left, top = random.uniform(0, picture.width - width), random.uniform(0, picture.height - height)
    return left, top, min(left + width, picture.width), min(top + height, picture.height)


def _scale_crop(
    picture: Image.Image, size: int, shorter_side: tuple[int, int], random: np.random.Generator
) -> tuple[float, float, float, float]:
    """The crop that becomes `size` pixels where the shorter side becomes a length drawn from a range."""
    low, high = shorter_side
    shorter = min(picture.width, picture.height)
    side = min(float(shorter), size * shorter / int(random.integers(max(low, size), max(high, size) + 1)))
    left, top = random.uniform(0, picture.width - side), random.uniform(0, picture.height - side)
    return left, top, min(left + side, picture.width), min(top + side, picture.height)


def steps_an_epoch(images: int, batch_size: int) -> int:
    """Batches of an epoch of training: whole ones, or a single smaller one."""
    return max(1, images // batch_size)


def require_pictures(samples: Sequence[Sample]) -> None:
    """Refuse samples without a picture file, at once rather than in the midst of an epoch.

    Raises:
        DataError: naming the first image that has none, and how many have none.
    """
    missing = [sample for sample in samples if sample.path is None or not sample.path.is_file()]
    if missing:
        first = missing[0].path or missing[0].image
        raise DataError(
            f"{printable(first)}: there is no such picture ({len(missing)} of {len(samples)} images have none): "
            "a training needs them all"
        )


class TrainingBatches:
    """The batches of one epoch: pixels uint8 (N, S, S, 3) and multi-hot targets float32 (N, C).

    With extra supervision each batch has four arrays more, of E images that are drawn for it: pixels uint8
    (E, S, S, 3), classes int64 (E, P), filled up by -1, their regions uint8 (E, P, S, S) (1, 0, 255 for void), and
    saliency uint8 (E, S, S); and, bool (E,), whether the regions are boxes. Pictures, regions and saliency are cut
    alike.

    The order of the images and every crop depend on (random seed, epoch, image) alone: not on the workers, and
    not on whether the run was interrupted before.

    Args:
        samples: labelled images.
        classes: what the targets' columns mean; every label is one of their ids.
        preprocessing: of pictures that are not augmented; its `image_size` is S.
        augmentation: None leaves order and pictures as they are (validation).
        batch_size: images a batch.
        random_seed: of order and crops.
        epoch: from 0.
        extra: images with extra supervision.
        extra_per_batch: E.
        part: of so many things, those that are loaded here: where several processes share every batch.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        classes: Classes,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None,
        *,
        batch_size: int,
        random_seed: int = 0,
        epoch: int = 0,
        extra: Sequence[ExtraSample] = (),
        extra_per_batch: int = 0,
        part: Callable[[int], slice] = slice,
    ) -> None:
        self.samples = samples
        self.index = {class_id: index for index, class_id in enumerate(classes.ids)}
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.epoch = epoch
        self.key = (random_seed, epoch)
        order = np.arange(len(samples))
        whole = len(order)
        if augmentation is not None:
            np.random.default_rng(self.key).shuffle(order)
            # The last, smaller batch of a shuffled epoch is left out: batch norm on a few images is noise.
            whole = min(len(order), steps_an_epoch(len(order), batch_size) * batch_size)
        self.batches = [order[start : start + batch_size] for start in range(0, whole, batch_size)]
        self.left_out = order[whole:]
        self.extra = extra
        # Without end: as often as there are steps, each image once before any comes again.
        turns = -(-len(self.batches) * extra_per_batch // max(len(extra), 1))
        again = np.random.default_rng((*self.key, 1))
        line = [again.permutation(len(extra)) for _ in range(turns if extra else 0)]
        self.extra_order = np.concatenate(line) if line else np.zeros(0, np.int64)
        self.extra_per_batch = extra_per_batch
        self.part = part

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch:
        members = self.batches[number]
        members = members[self.part(len(members))]
        pixels = np.stack([self._pixels(int(member)) for member in members])  # (N, S, S, 3)
        targets = np.zeros((len(members), len(self.index)), np.float32)  # (N, C)
        for row, member in enumerate(members):
            targets[row, [self.index[label] for label in self.samples[member].labels]] = 1
        return (pixels, targets, *self._supervised(number)) if self.extra else (pixels, targets)

    def _supervised(self, number: int) -> Batch:
        """The arrays of the images with extra supervision that are drawn for a batch."""
        start = number * self.extra_per_batch
        drawn = range(start, start + self.extra_per_batch)[self.part(self.extra_per_batch)]
        members = [self._supervised_one(draw, self.extra[self.extra_order[draw]]) for draw in drawn]
        most = max(len(sample.class_index) for sample, *_ in members)
        side = self.preprocessing.image_size
        class_index = np.full((len(members), most), -1, np.int64)  # (E, P)
        regions = np.zeros((len(members), most, side, side), np.uint8)  # (E, P, S, S)
        for row, (sample, _, found, _) in enumerate(members):
            class_index[row, : len(found)] = sample.class_index
            regions[row, : len(found)] = found
        pixels = np.stack([pixels for _, pixels, _, _ in members])  # (E, S, S, 3)
        saliency = np.stack([salient for *_, salient in members])  # (E, S, S)
        is_box = np.array([sample.mask is None for sample, *_ in members])  # (E,)
        return pixels, class_index, regions, saliency, is_box

    def _supervised_one(
        self, draw: int, extra: ExtraSample
    ) -> tuple[ExtraSample, npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """An image with its regions and saliency, all cut alike."""
        picture = self._decoded(extra.sample)
        frame = (picture.height, picture.width)
        size = self.preprocessing.image_size
        random = np.random.default_rng((*self.key, 1, draw))
        cut = drawn_cut(picture, size, self.augmentation or Augmentation(1, flip=False), random)
        regions = np.stack(
            [
                cut.of(Image.fromarray(region), size, Image.Resampling.NEAREST)
                for region in extra.regions(frame)
            ]
        )
        return extra, cut.of(picture, size), regions, cut.of(Image.fromarray(extra.salient(frame)), size)

    def _pixels(self, member: int) -> npt.NDArray[np.uint8]:
        picture = self._picture(member)
        if self.augmentation is None:
            return self.preprocessing.resized(picture)
        random = np.random.default_rng((*self.key, member))
        size = self.preprocessing.image_size
        return drawn_cut(picture, size, self.augmentation, random).of(picture, size)

    def _picture(self, member: int) -> Image.Image:
        return self._decoded(self.samples[member])

    @staticmethod
    def _decoded(sample: Sample) -> Image.Image:
        if sample.path is None:
            raise DataError(f"{sample.image} has no picture to train on")
        try:
            return decode(sample.path)
        except ImageError as error:
            raise DataError(f"{error}: a training needs all its pictures: mend it, or take it out") from error

    def load(self, workers: int) -> Generator[tuple[Tensor, ...], None, None]:
        """The batches as tensors, read ahead by `workers` processes.

        Epoch 0 looks at every picture, at those left out of its batches too, so that a damaged one ends a
        training in its first epoch and not in the tenth.

        Raises:
            DataError: if a picture is missing or cannot be decoded; names it.
            TrainingError: if a worker process was killed.
        """
        if self.epoch == 0:
            require_pictures(self.samples)
        try:
            for arrays in read_ahead(self.__getitem__, len(self), workers):
                yield tuple(torch.from_numpy(array) for array in arrays)
        except LostWorkerError as error:
            raise TrainingError(
                f"batch {error.number + 1} of {len(self)}: {error}: try a smaller --batch-size, or --workers 0"
            ) from error
        if self.epoch == 0:
            for member in self.left_out:
                self._picture(int(member))
