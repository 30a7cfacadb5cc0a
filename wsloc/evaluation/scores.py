"""What is gathered while images go by: guesses, boxes of the true classes, curves. Figures are made of it later."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError
from wsloc.evaluation.mask_truth import MaskTruth
from wsloc.evaluation.run_keys import RunKey, Tuned, mask_threshold
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.inputs.masks import read_mask
from wsloc.metrics.imagenet import GuessTable, Truth
from wsloc.metrics.mask_sweep import MaskSweep
from wsloc.metrics.max_box_acc import MaxBoxAcc
from wsloc.metrics.pixel_average_precision import PixelAveragePrecision, protocol_mask
from wsloc.metrics.score_maps import THRESHOLD_STEP, map_in_image, normalized_map, resized_map
from wsloc.records import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from wsloc.records import Classes, Sample

TOP = 5


class Scores:
    """The accumulators of one evaluation; memory is a few hundred bytes an image, whatever the maps' size.

    Attributes:
        samples: annotated images, one a row.
        ids: what the images are called on the side that is scored.
        classes: what class indices mean.
        truth: the annotations, flat.
        guesses: by run, up to five (class, box) an image.
        known: by run, a box for each label of the truth (L, 4), NaN where there is none.
        curves: by map, where maps are scored; empty without boxes.
        pixels: by map, where maps and masks of one object are there.
        sweeps: by map, where maps and masks of numbered classes are there.
        no_masks: why there are no sweeps where there might have been, or nothing.
        tuned: what a tuning set has chosen, or None without one.
        ten_crop: by map, the best classes (N, 5) over ten crops; -1 for an image that failed.
        failures: images that could not be used; they count as wrong.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, Sample]],
        classes: Classes,
        runs: Sequence[RunKey],
        *,
        threshold_step: float = THRESHOLD_STEP,
        with_maps: bool = True,
        with_guesses: bool = True,
        label_indices: Mapping[str, int] | None = None,  # None where the labels mean a network's classes
    ) -> None:
        self.ids = [image for image, _ in pairs]
        self.samples = [sample for _, sample in pairs]
        self.classes = classes
        if label_indices is None:
            label_indices = resolve_labels(self.samples, classes)
        self.truth = Truth.of(self.samples, label_indices)
        self.runs = tuple(runs)
        self.with_guesses = with_guesses  # else the boxes of the true classes alone
        self.guesses = {run: GuessTable(len(self.samples)) for run in runs}
        self.known = {run: np.full((len(self.truth.labels), 4), np.nan) for run in runs}
        self.label_boxes = self._boxes_by_label()
        self.has_boxes = any(len(boxes) for boxes in self.label_boxes)
        # PxAP is of single-label sets with a mask an object; VOC's index masks hold several classes at once.
        self._has_masks = all(
            sample.masks and not sample.mask_labels and len(sample.labels) == 1 for sample in self.samples
        )
        self._maps = tuple(dict.fromkeys(run.map for run in runs)) if with_maps else ()
        self._step = threshold_step
        self.mask_truth = MaskTruth.of(self.samples, label_indices)
        self.no_masks = ""
        self.tuned: Tuned | None = None
        self.ten_crop: dict[str, npt.NDArray[np.int64]] = {}
        self.empty_sums()

    def empty_sums(self) -> None:
        """Begin again with what is added up over images, `curves`, `pixels`, `sweeps` and `failures`: all empty."""
        self.curves = {name: MaxBoxAcc(self._step) for name in self._maps if self.has_boxes}
        self.pixels = {name: PixelAveragePrecision(self._step) for name in self._maps if self._has_masks}
        self.sweeps: dict[str, MaskSweep] = {}
        if self.mask_truth is not None:
            count, also = len(self.mask_truth.class_indices), [mask_threshold(run) for run in self.runs]
            self.sweeps = {name: MaskSweep(count, self._step, also) for name in self._maps}
        self.failures: list[Failure] = []

    def _boxes_by_label(self) -> list[npt.NDArray[np.float64]]:
        """The true boxes (M, 4) of each label."""
        owners = self.truth.label_of_box()
        order = np.argsort(owners, kind="stable")
        ends = np.searchsorted(owners[order], np.arange(len(self.truth.labels) + 1))
        return [self.truth.boxes[order[start:end]] for start, end in pairwise(ends.tolist())]

    def labels(self, row: int) -> tuple[int, ...]:
        """The class indices that an image is labelled with."""
        return tuple(int(label) for label in self.truth.labels[self.truth.labels_of(row)])

    def set_size(self, row: int, image_size: tuple[int, int], where: str = "the picture is") -> None:
        """Note the (height, width) of an image once it is decoded.

        Args:
            row: of the image.
            image_size: (height, width) in pixels.
            where: what says so, for the message.

        Raises:
            DataError: if the annotations are of a picture of another size.
        """
        annotated = self.samples[row].image_size
        if annotated is not None and annotated != image_size:
            raise DataError(
                f"{self.ids[row]}: {where} {image_size[1]} x {image_size[0]} pixels, its annotation says "
                f"{annotated[1]} x {annotated[0]}: the boxes are of another version of the picture"
            )
        self.truth.image_sizes[row] = image_size

    def size(self, row: int) -> tuple[int, int]:
        """The (height, width) of an image.

        Raises:
            DataError: if neither picture nor annotation has told it.
        """
        height, width = self.truth.image_sizes[row]
        if height <= 0 or width <= 0:
            raise DataError(
                f"{self.ids[row]}: its size is not known: the annotations carry no sizes, so name the pictures too"
            )
        return int(height), int(width)

    def add_maps(
        self,
        row: int,
        name: str,
        top: Sequence[int],
        maps: Mapping[int, npt.NDArray[np.float32]] | npt.NDArray[np.float32],
    ) -> None:
        """Score one image's maps under every rule.

        Args:
            row: of the image.
            name: of the map.
            top: class indices, best first; up to five count.
            maps: by class index, for `top` and every label, or one map (H, W) that all classes share.

        Raises:
            MapError: if a map has NaN, infinite or negative values.
        """
        image_size = self.size(row)
        labels = self.truth.labels_of(row)
        for run in self.runs:
            if run.map != name or run.rule is None:
                continue
            wanted = dict.fromkeys((*top, *self.labels(row)) if self.with_guesses else self.labels(row))
            if isinstance(maps, np.ndarray):
                shared = run.rule.box(maps, image_size)
                boxes = dict.fromkeys(wanted, shared)
            else:
                shared = None
                boxes = {index: run.rule.box(maps[index], image_size) for index in wanted}
            if self.with_guesses:
                self.guesses[run].put(row, top, [boxes[index] for index in top], shared)
            self.known[run][labels] = [boxes[index] for index in self.labels(row)]
        for place, label in enumerate(self.labels(row), start=labels.start):
            cells = maps if isinstance(maps, np.ndarray) else maps[label]
            self.add_curves(row, name, place, normalized_map(resized_map(cells)))
        if not isinstance(maps, np.ndarray):
            self.add_masks(row, name, {label: maps[label] for label in self.labels(row)}, scaled=True)

    def add_curves(self, row: int, name: str, place: int, values: npt.NDArray[np.float64]) -> None:
        """Add the map (224, 224), 0-1, of label `place` of an image to the curves."""
        boxes = self.label_boxes[place]
        if name in self.curves and len(boxes):
            self.curves[name].update(values, boxes, self.size(row), self.ids[row])
        if name in self.pixels and self.samples[row].masks:
            self.pixels[name].update(values, self._mask(row), self.ids[row])

    def add_masks(
        self, row: int, name: str, maps: Mapping[int, npt.NDArray[np.floating]], *, scaled: bool = False
    ) -> None:
        """Add the maps of an image's labels to the masks' mean IoU.

        Args:
            row: of the image; nothing is added if it has no mask.
            name: of the map.
            maps: (h, w) by class index, 0-1; they cover the whole image.
            scaled: whether each is to be divided by its maximum first, at the size of the mask, as seeds are.

        Raises:
            DataError: if the mask cannot be read, or holds a value that stands for no class.
        """
        if name not in self.sweeps or self.mask_truth is None or not self.samples[row].masks:
            return
        truth = self.mask_truth.read(self.samples[row])
        numbers = {label: self.mask_truth.number(label) for label in maps}
        known = {label: number for label, number in numbers.items() if number is not None}
        if not known:  # of no class that a mask has: all of it is background
            self.sweeps[name].update(truth, np.zeros((1, *truth.shape)), [1], self.ids[row])
            return
        cells = np.stack([map_in_image(maps[label], (truth.shape[0], truth.shape[1])) for label in known])
        if scaled:
            cells = cells.clip(0)
            highest = cells.max(axis=(1, 2), keepdims=True)
            cells /= np.where(highest > 0, highest, 1)
        self.sweeps[name].update(truth, cells, list(known.values()), self.ids[row])

    def give_up_masks(self, reason: str) -> None:
        """Score no masks, for a reason that the report gives: their mean IoU would be wrong, not merely bad."""
        self.sweeps, self.no_masks = {}, self.no_masks or reason

    def fail(self, row: int, error: str) -> None:
        """Note an image that could not be used: wrong in every figure."""
        self.failures.append(Failure(self.ids[row], error))
        labels = self.truth.labels_of(row)
        with_boxes = sum(len(self.label_boxes[place]) > 0 for place in range(labels.start, labels.stop))
        for curve in self.curves.values():
            for _ in range(with_boxes):
                curve.update_failed()
        for run in self.runs:
            self.known[run][labels] = 0
        if self.sweeps and self.mask_truth is not None and self.samples[row].masks:
            truth = self.mask_truth.read(self.samples[row])
            for sweep in self.sweeps.values():
                sweep.update_failed(truth, self.ids[row])
        if self.samples[row].masks:
            for pixels in self.pixels.values():
                pixels.update_failed(self._mask(row))

    def _mask(self, row: int) -> npt.NDArray[np.uint8]:
        sample = self.samples[row]
        ignore = None if sample.ignore_mask is None else read_mask(sample.ignore_mask)
        return protocol_mask([read_mask(path) for path in sample.masks], ignore)
