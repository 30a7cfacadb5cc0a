"""Labelled images drawn to go with another one: of those that share no class with it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsloc.errors import DataError, ImageError
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.inputs.images import decode
from wsloc.inputs.training_set import require_pictures

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from wsloc.inputs.preprocessing import Preprocessing
    from wsloc.records import Classes

KEPT_BYTES = 64 << 20  # of decoded pictures, so that those drawn again need not be read again


class OtherImages:
    """A labelled data set that images without a class in common with a given one are drawn from.

    Args:
        path: a data set as trainings take it: a folder a class, a CSV `image,label`, or annotations of other kinds.
        classes: what the network's outputs mean; labels are resolved to them.
        preprocessing: pictures become inputs by it, squashed to squares whatever its `resize` is: several of them
            go through the network at once.
        random_seed: of the draws, beside the image's own key.

    Raises:
        DataError: if the data cannot be read, names no pictures or labels, or other classes than the network's.
    """

    def __init__(
        self, path: Path, classes: Classes, preprocessing: Preprocessing, random_seed: int = 0
    ) -> None:
        samples = [sample for sample in read_annotations(path) if sample.labels]
        if not samples:
            raise DataError(f"{path}: no image in it has a label: RIB's other images need theirs")
        require_pictures(samples)
        index = resolve_labels(samples, classes)
        self.path = path
        self.preprocessing = preprocessing
        self.random_seed = random_seed
        self._files = [sample.path for sample in samples if sample.path is not None]
        self._labels = [tuple(dict.fromkeys(index[label] for label in sample.labels)) for sample in samples]
        self._members = np.zeros((len(samples), len(classes)), np.bool_)
        for row, labels in zip(self._members, self._labels, strict=True):
            row[list(labels)] = True
        side = preprocessing.image_size
        self._pixels = lru_cache(maxsize=KEPT_BYTES // (3 * side**2))(self._read)

    def __str__(self) -> str:
        """What decides its draws, the same in every process: runs are known again by it."""
        listed = "\n".join(
            f"{file}\t{labels}" for file, labels in zip(self._files, self._labels, strict=True)
        )
        digest = blake2b(listed.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        return f"{len(self._files)} images of {self.path} ({digest}), random seed {self.random_seed}"

    def draw(
        self, key: int, class_indices: Collection[int], count: int
    ) -> tuple[npt.NDArray[np.uint8], list[tuple[int, ...]]]:
        """Images that share no class with an image: pixels (B, S, S, 3) and the class indices of each.

        Fewer images than B that could be drawn are drawn repeatedly.

        Args:
            key: of the image they go with: the same key, the same draw.
            class_indices: the classes of that image.
            count: B, at least 1.

        Raises:
            DataError: if every image shares a class with it, or a drawn one cannot be read.
        """
        apart = np.flatnonzero(~self._members[:, list(class_indices)].any(axis=1))
        if not len(apart):
            raise DataError(
                f"{self.path}: every image in it shares a class with the one that is explained: RIB's other images "
                "need further classes"
            )
        generator = np.random.default_rng((self.random_seed, key))
        chosen = generator.choice(apart, count, replace=len(apart) < count)
        return np.stack([self._pixels(place) for place in chosen]), [self._labels[place] for place in chosen]

    def _read(self, place: int) -> npt.NDArray[np.uint8]:
        side = self.preprocessing.image_size
        try:
            return np.asarray(decode(self._files[place]).resize((side, side), Image.Resampling.BILINEAR))
        except ImageError as error:
            raise DataError(f"{error}: it is one of RIB's other images: mend it, or take it out") from error
