"""Extra supervision: masks, or boxes and saliency, of some of the images that a training has labels of."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wsloc.errors import DataError, ImageError, TrainingError
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.annotations.matching import match
from wsloc.inputs.class_values import class_values
from wsloc.inputs.images import load_pixels, opened
from wsloc.inputs.mask_classes import FILE_NAME, IGNORE, read_mask_classes
from wsloc.inputs.masks import read_mask
from wsloc.words import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from wsloc.records import Box, Classes, Sample

    IndexedBoxes = tuple[tuple[int, Box], ...]

PICTURES = (".png", ".jpg", ".jpeg")  # of saliency
LOOKED_AT = 50  # masks, before a training, for a class that their image is labelled with


@dataclass(frozen=True, slots=True)
class ExtraSource:
    """Where extra supervision is found, and how much of it is used.

    Attributes:
        masks: folder of label maps `<image without extension>.png`: class values as its `classes.json` says, else as
            `class_values` has them; 255 is void.
        boxes: annotations with boxes, in any of the formats.
        saliency: folder of gray pictures `<image without extension>.png`, 0-255, for the images with boxes.
        fraction: share of the training images, above 0 and at most 1, whose extra labels are used; None for all that
            have some. Where an image has both a mask and boxes, every second one is used by its boxes.
        per_step: images with extra labels in each step, beside the batch.

    Raises:
        TrainingError: if a number is out of its range, or there is nothing to be found.
    """

    masks: Path | None = None
    boxes: Path | None = None
    saliency: Path | None = None
    fraction: float | None = None
    per_step: int = 4

    def __post_init__(self) -> None:
        if self.masks is None and self.boxes is None:
            raise TrainingError("extra supervision is masks or boxes: give one of them")
        if self.saliency is not None and self.boxes is None:
            raise TrainingError("saliency goes with boxes: masks say already what is of the object")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise TrainingError(
                f"the fraction (--extra-fraction) is above 0 and at most 1, not {self.fraction}"
            )
        if self.per_step < 1:
            raise TrainingError(f"at least one image with extra labels goes into a step, not {self.per_step}")


@dataclass(frozen=True, slots=True)
class ExtraSample:
    """A training image and where its classes are.

    Attributes:
        sample: the image and its labels.
        values: `(class index, value in the mask)` of its labels.
        mask: a label map of the upright picture's size; None where there are boxes instead.
        boxes: `(class index, box)`, xyxy, half-open, image frame.
        saliency: a gray picture of the upright picture's size, or None.
        boxes_size: (height, width) of the picture that the boxes were drawn on, or None where nothing says it.
    """

    sample: Sample
    values: tuple[tuple[int, int], ...]
    mask: Path | None = None
    boxes: tuple[tuple[int, Box], ...] = field(default=())
    saliency: Path | None = None
    boxes_size: tuple[int, int] | None = None

    @property
    def class_index(self) -> tuple[int, ...]:
        """The classes whose places are known, in the order of `regions`."""
        if self.mask is not None:
            return tuple(index for index, _ in self.values)
        return tuple(dict.fromkeys(index for index, _ in self.boxes))

    def regions(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Where each class is: uint8 (P, H, W), 1 inside, 0 outside, 255 void.

        Args:
            size: (height, width) of the upright picture.

        Raises:
            DataError: if the mask cannot be read or is of another size, or the boxes are of a picture of another size.
        """
        if self.mask is not None:
            labels = read_mask(self.mask)  # (H, W)
            _demand_size(printable(self.mask), labels.shape, size)
            values = np.array([value for _, value in self.values], np.uint8)[:, None, None]
            found = (labels == values).astype(np.uint8)  # (P, H, W)
            return np.where(labels == IGNORE, np.uint8(IGNORE), found)
        if self.boxes_size is not None:
            name = printable(self.sample.image)
            _demand_size(f"{name}: the picture that its boxes are of", self.boxes_size, size)
        classes = self.class_index
        found = np.zeros((len(classes), *size), np.uint8)
        for index, (x0, y0, x1, y1) in self.boxes:
            rows = slice(max(0, math.floor(y0)), math.ceil(y1))
            found[classes.index(index), rows, max(0, math.floor(x0)) : math.ceil(x1)] = 1
        return found

    def salient(self, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """How likely each pixel is of an object, uint8 (H, W), 0-255; 255 everywhere where nothing is known.

        Raises:
            DataError: if the picture cannot be read or is of another size.
        """
        if self.saliency is None:
            return np.full(size, 255, np.uint8)
        try:
            with opened(self.saliency) as file:
                load_pixels(file)
                values = np.asarray(file.convert("L"))
        except ImageError as error:
            raise DataError(f"the saliency map {error}") from error
        _demand_size(printable(self.saliency), values.shape, size)
        return values


def find_extra(
    samples: Sequence[Sample], classes: Classes, source: ExtraSource, random_seed: int = 0
) -> list[ExtraSample]:
    """The training images whose extra labels are used, in their order.

    Args:
        samples: the training images.
        classes: of the training.
        source: where to look.
        random_seed: which images a fraction takes.

    Raises:
        DataError: if there is no folder or annotation file, nothing in it is of these images or their classes, or a
            mask that is looked at cannot be read.
    """
    index = {class_id: place for place, class_id in enumerate(classes.ids)}
    masks = {} if source.masks is None else _files(samples, source.masks, (".png",))
    boxes = {} if source.boxes is None else _boxes(samples, source.boxes, index)
    available = [
        place for place, sample in enumerate(samples) if sample.image in masks or sample.image in boxes
    ]
    if not available:
        where = " or ".join(str(place) for place in (source.masks, source.boxes) if place is not None)
        raise DataError(
            f"{where}: holds nothing of the training images, which are called like `{samples[0].image}`"
        )
    order = np.random.default_rng((random_seed, 2)).permutation(available)
    if source.fraction is not None:
        order = order[: max(1, round(source.fraction * len(samples)))]
    salient = {} if source.saliency is None else _saliency(samples, source.saliency, boxes)
    values = _values(classes, source.masks)
    found: dict[int, ExtraSample] = {}
    for number, place in enumerate(order.tolist()):
        sample = samples[place]
        own = [index[label] for label in sample.labels]
        image, mask = sample.image, masks.get(sample.image)
        if mask is not None and (image not in boxes or number % 2 == 0):
            found[place] = ExtraSample(sample, tuple((label, values[label]) for label in own), mask)
        else:
            found[place] = ExtraSample(sample, (), None, boxes[image][0], salient.get(image), boxes[image][1])
    chosen = [found[place] for place in sorted(found)]
    _demand_labelled(chosen)
    return chosen


def extra_record(extra: Sequence[ExtraSample], per_step: int) -> dict[str, int | str | None]:
    """What a checkpoint keeps of the extra labels it was trained with: how many, and which; None if there are none."""
    if not extra:
        return dict.fromkeys(("extra_masks", "extra_boxes", "extra_per_step", "extra_sha256"))
    boxed = sum(sample.mask is None for sample in extra)
    listing = json.dumps([[sample.sample.image, sample.mask is None, *sample.boxes] for sample in extra])
    return {
        "extra_masks": len(extra) - boxed,
        "extra_boxes": boxed,
        "extra_per_step": per_step,
        "extra_sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }


def _values(classes: Classes, masks: Path | None) -> tuple[int, ...]:
    """What stands for each class in the masks: by a `classes.json` beside them, else by the usual numbering."""
    if masks is None or not (masks / FILE_NAME).is_file():
        return class_values(classes)
    numbered = {entry.class_id: entry.value for entry in read_mask_classes(masks / FILE_NAME)}
    missing = sorted(set(classes.ids) - set(numbered))
    if missing:
        raise DataError(f"{masks / FILE_NAME}: has no value for the class {missing[0]}")
    return tuple(numbered[class_id] for class_id in classes.ids)


def _files(samples: Sequence[Sample], folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """The file of each image that has one: under its whole id, or its bare name."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: name the one with a picture for each image")
    there = {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes
    }
    found: dict[str, Path] = {}
    for sample in samples:
        name = PurePosixPath(sample.image).with_suffix("")
        for candidate in (name.as_posix(), name.name):
            if candidate in there:
                found[sample.image] = there[candidate]
                break
    return found


def _boxes(
    samples: Sequence[Sample], place: Path, index: Mapping[str, int]
) -> dict[str, tuple[IndexedBoxes, tuple[int, int] | None]]:
    """The boxes of each image that has some of its own classes, and the size of the picture that they are of."""
    annotated = [sample for sample in read_annotations(place) if sample.boxes]
    if not annotated:
        raise DataError(f"{place}: these annotations hold no boxes")
    labels = {sample.image: sample.labels for sample in samples}
    found: dict[str, tuple[IndexedBoxes, tuple[int, int] | None]] = {}
    try:
        pairs = match(annotated, list(labels)).pairs
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    for image, sample in pairs:
        own = tuple((index[label], box) for label, box in sample.boxes if label in labels[image])
        if own:
            found[image] = own, sample.image_size
    if not found:
        label, _ = annotated[0].boxes[0]
        raise DataError(
            f"{place}: holds no box of a class that its image is labelled with: boxes are called like "
            f"`{printable(label)}`, labels like `{printable(samples[0].labels[0])}`"
        )
    return found


def _saliency(samples: Sequence[Sample], folder: Path, boxed: Collection[str]) -> dict[str, Path]:
    """The saliency map of each image that has one; one at least is of an image with boxes."""
    found = _files(samples, folder, PICTURES)
    if not any(image in boxed for image in found):
        raise DataError(
            f"{folder}: holds no saliency map of an image with boxes; these are called like "
            f"`{next(iter(boxed))}`"
        )
    return found


def _demand_labelled(extra: Sequence[ExtraSample]) -> None:
    """Refuse masks of which none shows a class that its image is labelled with: they would teach nothing.

    The usual reason is another numbering of the classes. Only the first masks are looked at.
    """
    looked = [(sample.mask, sample.values) for sample in extra if sample.mask is not None][:LOOKED_AT]
    for path, values in looked:
        if np.isin(read_mask(path), [value for _, value in values]).any():
            return
    if looked:
        path, values = looked[0]
        held = ", ".join(map(str, np.unique(read_mask(path)).tolist()[:5]))
        wanted = ", ".join(str(value) for _, value in values)
        raise DataError(
            f"{printable(path)}: holds the values {held}, and its image's labels are {wanted} in masks (nor is there "
            f"one in the other masks): write a {FILE_NAME} beside the masks that says what their values mean"
        )


def _demand_size(what: str, shape: tuple[int, ...], size: tuple[int, int]) -> None:
    if shape != size:
        raise DataError(
            f"{what} is {shape[1]} x {shape[0]} pixels, its picture {size[1]} x {size[0]}: they must be equal"
        )
