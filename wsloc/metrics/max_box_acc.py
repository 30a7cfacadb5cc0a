"""MaxBoxAcc and MaxBoxAccV2: box accuracy over all map thresholds, at the best of them.

The protocol of Choe et al., "Evaluating weakly supervised object localization methods right", CVPR 2020, and its
second version (TPAMI 2022), number for number: maps and boxes at 224 x 224, maps in 256 grey values, contours of
what lies strictly above a threshold, IoU with inclusive corners. The threshold is chosen WITH the ground truth:
these figures bound what a map could do, and are not comparable with figures at a threshold fixed beforehand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from wsloc.errors import DataError, MapError
from wsloc.metrics.contour_boxes import candidate_boxes
from wsloc.metrics.score_maps import PROTOCOL_SIDE, THRESHOLD_STEP, map_thresholds, score_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Boxes = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]

IOU_THRESHOLDS = (0.3, 0.5, 0.7)
ContourRule = Literal["single", "multi"]
RULES: tuple[ContourRule, ...] = ("single", "multi")


class BestOverlaps(NamedTuple):
    """What one image contributes: the best IoU (0-1) with any true box at each of the T thresholds.

    Attributes:
        single: (T,), of the largest contour's box.
        multi: (T,), of the best of all contours' boxes.
    """

    single: Floats
    multi: Floats


class BestAccuracy(NamedTuple):
    """The top of a curve.

    Attributes:
        accuracy: percent.
        threshold: the lowest map threshold (0-1) that reaches it.
    """

    accuracy: float
    threshold: float


def protocol_boxes(boxes: npt.ArrayLike, image_size: tuple[float, float], side: int = PROTOCOL_SIDE) -> Boxes:
    """True boxes in the frame of a side x side map: (M, 4), xyxy, inclusive, all corners truncated.

    Args:
        boxes: (M, 4), xyxy, half-open, image frame, pixels.
        image_size: (height, width) of the image.
        side: rows and columns of the maps.
    """
    inclusive = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    # A box of less than a pixel covers the pixel that it begins in.
    inclusive[:, 2:] = np.maximum(inclusive[:, 2:] - 1, inclusive[:, :2])
    height, width = image_size
    return np.trunc(inclusive * side / (width, height, width, height)).astype(np.int64)


def best_inclusive_iou(candidates: Boxes, truth: Boxes) -> Floats:
    """The best IoU (0-1) of each candidate box with any true box; corners are inclusive.

    Args:
        candidates: (B, 4), xyxy, inclusive.
        truth: (M, 4), likewise, same frame.

    Returns:
        (B,)
    """
    left, top, right, bottom = np.ascontiguousarray(candidates.T)  # (B,) each
    areas = (right - left + 1) * (bottom - top + 1)
    best = np.zeros(len(candidates))
    for x0, y0, x1, y1 in truth.tolist():  # few: a loop over them keeps the memory at the candidates'
        across = (np.minimum(right, x1) - np.maximum(left, x0) + 1).clip(min=0)
        down = (np.minimum(bottom, y1) - np.maximum(top, y0) + 1).clip(min=0)
        shared = across * down
        np.maximum(best, shared / (areas + (x1 - x0 + 1) * (y1 - y0 + 1) - shared), out=best)
    return best


class MaxBoxAcc:
    """Box accuracy at every map threshold, added up image by image; holds counts alone and can be pickled.

    Attributes:
        step: between map thresholds.
        iou_thresholds: from which on a box is right, 0-1; one curve each.
        thresholds: (T,), the map thresholds.
        images: counted so far, those that failed among them.
        failed: images without a map.
    """

    def __init__(
        self, step: float = THRESHOLD_STEP, iou_thresholds: Sequence[float] = IOU_THRESHOLDS
    ) -> None:
        self.step = step
        self.iou_thresholds = tuple(iou_thresholds)
        self.thresholds = map_thresholds(step)
        self.images = 0
        self.failed = 0
        # By rule: (IoU thresholds, T) images that are right.
        shape = (len(self.iou_thresholds), len(self.thresholds))
        self._right = {rule: np.zeros(shape, np.int64) for rule in RULES}

    def update(
        self,
        activation_map: npt.ArrayLike,
        boxes: npt.ArrayLike,
        image_size: tuple[float, float],
        image: str = "the image",
    ) -> BestOverlaps:
        """Add one image, and return what it contributes.

        Args:
            activation_map: (224, 224), 0-1; see `resized_map` and `normalized_map` for others.
            boxes: (M, 4), M >= 1, its true boxes: xyxy, half-open, image frame, pixels.
            image_size: (height, width) of the image.
            image: its id, for messages.

        Raises:
            MapError: if the map is of another size, or has NaN or values outside [0, 1].
            DataError: if there is no true box, or the image has no size.
        """
        truth = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        if not len(truth):
            raise DataError(f"{image}: no box to compare the map with: leave the image out")
        if min(image_size) <= 0:
            raise DataError(f"{image}: image size {image_size[0]} x {image_size[1]}: annotations need sizes")
        try:
            values = score_map(activation_map)
        except MapError as error:
            raise MapError(f"{image}: {error}") from error
        found = candidate_boxes(values, self.thresholds)
        overlaps = best_inclusive_iou(found.boxes, protocol_boxes(truth, image_size))  # (B,)
        best = BestOverlaps(
            overlaps[found.largest][found.masks], np.maximum.reduceat(overlaps, found.starts)[found.masks]
        )
        for rule, reached in zip(RULES, best, strict=True):
            self._right[rule] += reached >= np.array(self.iou_thresholds)[:, None]
        self.images += 1
        return best

    def update_failed(self) -> None:
        """Count an image without a map: wrong at every threshold."""
        self.images += 1
        self.failed += 1

    def merge(self, other: MaxBoxAcc) -> None:
        """Add the images of another accumulator, such as another process's.

        Raises:
            ValueError: if its thresholds are others.
        """
        if (self.step, self.iou_thresholds) != (other.step, other.iou_thresholds):
            raise ValueError("only accumulators of the same map and IoU thresholds can be merged")
        self.add_state(other.state())

    def state(self) -> dict[str, Boxes]:
        """What was counted, as integer arrays, for `add_state`."""
        return {"images": np.array([self.images, self.failed]), **{rule: self._right[rule] for rule in RULES}}

    def add_state(self, state: Mapping[str, Boxes]) -> None:
        """Add what an accumulator of the same map and IoU thresholds has counted, as its `state` says."""
        images, failed = state["images"].tolist()
        self.images += images
        self.failed += failed
        for rule in RULES:
            self._right[rule] += state[rule]

    def counts(self, rule: ContourRule) -> Boxes:
        """Images whose box is right: (IoU thresholds, T)."""
        return self._right[rule].copy()

    def accuracies(self, rule: ContourRule) -> Floats:
        """The curves in percent: (IoU thresholds, T).

        Raises:
            ValueError: if no image was added.
        """
        if not self.images:
            raise ValueError("no images to judge")
        return np.asarray(self._right[rule] * 100.0 / self.images)

    def curve(self, rule: ContourRule) -> dict[str, list[float]]:
        """The curves as a report has them: `thresholds`, then percent under each IoU threshold's name (`"0.5"`)."""
        names = [f"{iou_threshold:g}" for iou_threshold in self.iou_thresholds]
        curves = dict(zip(names, self.accuracies(rule).tolist(), strict=True))
        return {"thresholds": self.thresholds.tolist(), **curves}

    def best(self, rule: ContourRule) -> dict[float, BestAccuracy]:
        """The top of each curve, by IoU threshold: the percentage, and the lowest map threshold that reaches it."""
        tops = {}
        for iou_threshold, curve in zip(self.iou_thresholds, self.accuracies(rule), strict=True):
            place = int(curve.argmax())
            tops[iou_threshold] = BestAccuracy(float(curve[place]), float(self.thresholds[place]))
        return tops

    def max_box_acc(self) -> float:
        """MaxBoxAcc in percent: the largest contour's box, IoU 0.5, at its best map threshold.

        Raises:
            ValueError: if no image was added, or 0.5 is not among the IoU thresholds.
        """
        if 0.5 not in self.iou_thresholds:
            raise ValueError("MaxBoxAcc is judged at IoU 0.5, which is not among the IoU thresholds")
        return self.best("single")[0.5].accuracy

    def max_box_acc_v2(self) -> float:
        """MaxBoxAccV2 in percent: every contour's box, mean over IoU thresholds, each at its best map threshold.

        Raises:
            ValueError: if no image was added.
        """
        return float(np.mean([top.accuracy for top in self.best("multi").values()]))

    def accuracy_at(self, map_threshold: float, iou_threshold: float, rule: ContourRule) -> float:
        """Percent right at the map threshold nearest to a given one, such as the best of another data set.

        Raises:
            ValueError: if no image was added, or the IoU threshold has no curve.
        """
        curve = self.accuracies(rule)[self.iou_thresholds.index(iou_threshold)]
        return float(curve[np.abs(self.thresholds - map_threshold).argmin()])
