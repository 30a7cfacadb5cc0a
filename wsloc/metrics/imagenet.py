"""Classification, Top-1, Top-5 and GT-known localization from a table of guesses, as ILSVRC judges them.

The criterion of Russakovsky et al., "ImageNet large scale visual recognition challenge", IJCV 2015, section 4.2:
an image is right if any of its guesses (class, box) names its class and overlaps any box of that class with an
IoU of 0.5 or more. Where an image has several classes, a guess may name any of them, and has to overlap a box of
the one it names. Everything stands in flat arrays, so that a data set is judged in a few NumPy calls.

Boxes are xyxy, half-open, in pixels of the image. An image without an answer counts as wrong in every figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wsloc.metrics.localization import IOU_THRESHOLD, area, iou

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from wsloc.records import Box, Sample

    Floats = npt.NDArray[np.float64]
    Integers = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

NO_CLASS = -1
NO_BIN = -1
TOP = 5  # guesses of an image at most
SIZE_EDGES = (0.1, 0.3, 0.6)  # between the bins of object sizes, fractions of the image's area
SIZE_NAMES = ("< 10 %", "10-30 %", "30-60 %", ">= 60 %")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What a data set is annotated with, flat; rows of images are counted from 0.

    Attributes:
        image_sizes: (N, 2), (height, width) of each image; 0 where it is not known.
        label_images: (L,), the image of each label, ascending.
        labels: (L,), class indices; those of one image are all different.
        box_images: (B,), the image of each box, ascending.
        box_labels: (B,), the class index of each box; -1 for a class without an index.
        boxes: (B, 4), xyxy, half-open, image frame.
    """

    image_sizes: Floats
    label_images: Integers
    labels: Integers
    box_images: Integers
    box_labels: Integers
    boxes: Floats

    def __len__(self) -> int:
        return len(self.image_sizes)

    @classmethod
    def of(cls, samples: Sequence[Sample], class_indices: Mapping[str, int]) -> Truth:
        """The annotations of samples, one row each, in their order.

        Args:
            samples: one an image.
            class_indices: by class id, for all labels; boxes of other classes are kept as of no class.

        Raises:
            KeyError: if a label has no index.
        """
        labels = [(row, class_indices[name]) for row, sample in enumerate(samples) for name in sample.labels]
        owners = [
            (row, class_indices.get(name, NO_CLASS))
            for row, sample in enumerate(samples)
            for name, _ in sample.boxes
        ]
        label_table = np.array(labels, np.int64).reshape(-1, 2)
        owner_table = np.array(owners, np.int64).reshape(-1, 2)
        return cls(
            image_sizes=np.array([s.image_size or (0, 0) for s in samples], np.float64).reshape(-1, 2),
            label_images=label_table[:, 0],
            labels=label_table[:, 1],
            box_images=owner_table[:, 0],
            box_labels=owner_table[:, 1],
            boxes=np.array([box for s in samples for _, box in s.boxes], np.float64).reshape(-1, 4),
        )

    def labels_of(self, image: int) -> slice:
        """Where the labels of an image stand among all labels."""
        return slice(*np.searchsorted(self.label_images, (image, image + 1)).tolist())

    def find(self, images: Integers, labels: Integers) -> Integers:
        """Which label (0 to L - 1) each pair of an image and a class index is, (n,); -1 for those that are none."""
        if not len(self.labels):
            return np.full(images.shape, -1, np.int64)
        base = int(self.labels.max()) + 2  # number 0 of each image stands for every class that is no label
        among = self.label_images * base + self.labels + 1
        keys = images * base + np.where((labels >= 0) & (labels < base - 1), labels, NO_CLASS) + 1
        order = np.argsort(among, kind="stable")
        places = order[np.searchsorted(among, keys, sorter=order).clip(max=len(among) - 1)]
        return np.where(among[places] == keys, places, -1)

    def label_of_box(self) -> Integers:
        """Which label (0 to L - 1) each box belongs to, (B,); -1 if its image is not labelled with its class."""
        return self.find(self.box_images, self.box_labels)

    def label_has_box(self) -> Bools:
        """Which labels have a box, (L,): the others can only be classified."""
        owners = self.label_of_box()
        return np.bincount(owners[owners >= 0], minlength=len(self.labels)) > 0

    def image_has_box(self) -> Bools:
        """Which images have a box of a class they are labelled with, (N,)."""
        return np.bincount(self.label_images[self.label_has_box()], minlength=len(self)) > 0

    def size_bins(self) -> Integers:
        """The bin of each image's object size, (N,): 0 to 3 as in `SIZE_NAMES`, -1 without size or box.

        Size is the largest true box's share of the image's area; an edge belongs to the bin above it.
        """
        own = self.label_of_box() >= 0
        images = self.box_images[own]
        pixels = self.image_sizes.prod(axis=1)  # (N,)
        largest = np.zeros(len(self))
        np.maximum.at(largest, images, area(self.boxes[own]))
        share = np.divide(largest, pixels, out=np.zeros(len(self)), where=pixels > 0)
        bins = np.searchsorted(SIZE_EDGES, share, side="right")
        return np.where(self.image_has_box() & (pixels > 0), bins, NO_BIN)


class GuessTable:
    """The guesses of all images, filled row by row in any order; can be pickled.

    Attributes:
        labels: (N, K), class indices, best first; -1 where there are fewer.
        boxes: (N, K, 4), xyxy, half-open, image frame; empty where there are fewer.
        shared_boxes: (N, 4), one box for whatever the class is; empty where there is none.
        shared: (N,), whether there is one.
        answered: (N,), whether the row was filled; the others count as wrong.
    """

    def __init__(self, images: int, top: int = TOP) -> None:
        self.labels = np.full((images, top), NO_CLASS, np.int64)
        self.boxes = np.zeros((images, top, 4))
        self.shared_boxes = np.zeros((images, 4))
        self.shared = np.zeros(images, np.bool_)
        self.answered = np.zeros(images, np.bool_)

    def put(
        self, image: int, labels: Sequence[int], boxes: Sequence[Box], shared_box: Box | None = None
    ) -> None:
        """Fill the row of one image.

        Args:
            image: its row, from 0.
            labels: class indices, best first; those beyond the table's width are left out.
            boxes: as many, xyxy, half-open, image frame.
            shared_box: a box that stands for any class, if the map carries none.
        """
        count = min(len(labels), self.labels.shape[1])
        self.labels[image] = NO_CLASS
        self.labels[image, :count] = labels[:count]
        self.boxes[image] = 0
        self.boxes[image, :count] = np.reshape(boxes[:count], (count, 4))
        self.shared[image] = shared_box is not None
        self.shared_boxes[image] = (0, 0, 0, 0) if shared_box is None else shared_box
        self.answered[image] = True

    def merge(self, other: GuessTable) -> None:
        """Take over the rows that another table of the same images, such as another process's, has filled.

        Raises:
            ValueError: if it is of another shape.
        """
        if self.labels.shape != other.labels.shape:
            raise ValueError(
                f"tables of {self.labels.shape} and {other.labels.shape} guesses cannot be merged"
            )
        rows = other.answered
        for mine, theirs in zip(self._columns(), other._columns(), strict=True):
            mine[rows] = theirs[rows]

    def failed(self) -> int:
        """Images without an answer."""
        return int((~self.answered).sum())

    def fewest(self) -> int:
        """The fewest guesses that an answered image has; 0 if none is answered."""
        return int((self.labels[self.answered] != NO_CLASS).sum(axis=1).min(initial=self.labels.shape[1]))

    def _columns(self) -> tuple[npt.NDArray[np.generic], ...]:
        return self.labels, self.boxes, self.shared_boxes, self.shared, self.answered


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What each guess is worth.

    Attributes:
        right_class: (N, K), whether the guess names a class of its image.
        overlaps: (N, K), the best IoU (0-1) with a true box of the class it names; 0 where that is wrong.
    """

    right_class: Bools
    overlaps: Floats

    def wrong_class(self, top: int = TOP) -> Bools:
        """Images none of whose first guesses names a class of theirs, (N,)."""
        return np.logical_not(self.right_class[:, :top].any(axis=1))

    def wrong_box(self, top: int = TOP, iou_threshold: float = IOU_THRESHOLD) -> Bools:
        """Images none of whose first guesses names a class of theirs and overlaps a box of it enough, (N,)."""
        right = self.right_class & (self.overlaps >= iou_threshold)
        return np.logical_not(right[:, :top].any(axis=1))


def judge(guesses: GuessTable, truth: Truth) -> Judgement:
    """Compare all guesses with all true boxes.

    Raises:
        ValueError: if there are not as many images in both.
    """
    images, top = _checked(guesses, truth).labels.shape
    named = truth.find(np.repeat(np.arange(images), top), guesses.labels.ravel())  # (N * K,)
    own = np.flatnonzero(truth.label_of_box() >= 0)
    # Each true box against the guesses of its image that name its class.
    named_by = guesses.labels[truth.box_images[own]] == truth.box_labels[own, None]  # (boxes, K)
    box, guess = np.nonzero(named_by)
    image = truth.box_images[own[box]]
    overlaps = np.zeros(images * top)
    np.maximum.at(overlaps, image * top + guess, iou(guesses.boxes[image, guess], truth.boxes[own[box]]))
    return Judgement((named >= 0).reshape(images, top), overlaps.reshape(images, top))


class KnownBoxes(NamedTuple):
    """A box for each true label, whatever class the image was taken for.

    Attributes:
        boxes: (L, 4), xyxy, half-open, image frame; empty where there is none.
        complete: whether every label of an answered image has one; if not, there is no GT-known figure.
    """

    boxes: Floats
    complete: bool


def known_boxes(guesses: GuessTable, truth: Truth) -> KnownBoxes:
    """The box of the true class among the guesses of each image, or the one that its classes share.

    Raises:
        ValueError: if there are not as many images in both.
    """
    _checked(guesses, truth)
    images = truth.label_images
    matches = guesses.labels[images] == truth.labels[:, None]  # (L, K)
    found, shared = matches.any(axis=1), guesses.shared[images]
    boxes = guesses.boxes[images, matches.argmax(axis=1)]  # (L, 4), of the first match
    boxes[~found] = guesses.shared_boxes[images[~found]]
    return KnownBoxes(boxes, bool((found | shared | ~guesses.answered[images]).all()))


def known_overlaps(boxes: npt.ArrayLike, truth: Truth) -> Floats:
    """The best IoU (0-1) of each label's box with a true box of that label: (L,).

    GT-known error is the fraction of labels that have boxes (`label_has_box`) for which it is below 0.5.

    Args:
        boxes: (L, 4), xyxy, half-open, image frame; empty (0, 0, 0, 0) for an image that failed.
        truth: of L labels.

    Raises:
        ValueError: if there are not as many boxes as labels.
    """
    found = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if len(found) != len(truth.labels):
        raise ValueError(f"expected a box for each of {len(truth.labels)} labels, got {len(found)}")
    owners = truth.label_of_box()
    own = owners >= 0
    best = np.zeros(len(found))
    np.maximum.at(best, owners[own], iou(found[owners[own]], truth.boxes[own]))
    return best


def _checked(guesses: GuessTable, truth: Truth) -> GuessTable:
    """The guesses, if they are of as many images as the truth."""
    if len(guesses.labels) != len(truth):
        raise ValueError(f"{len(guesses.labels)} images with guesses, {len(truth)} with annotations")
    return guesses
