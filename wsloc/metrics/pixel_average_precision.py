"""PxAP: how well a map's values tell the object's pixels from the others, over all thresholds at once.

The mask protocol of Choe et al., "Evaluating weakly supervised object localization methods right", CVPR 2020,
section 3.3: maps and masks at 224 x 224, all pixels of all images in one precision-recall curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from wsloc.errors import DataError, MapError
from wsloc.metrics.score_maps import PROTOCOL_SIDE, THRESHOLD_STEP, map_thresholds, score_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

BACKGROUND, FOREGROUND, IGNORE = 0, 1, 255


class PixelCurve(NamedTuple):
    """Precision and recall (0-1) of the pixels whose value is at least a threshold.

    Attributes:
        thresholds: (T + 1,), ascending, 1 the last.
        precision: (T + 1,); 1 where no pixel reaches the threshold.
        recall: (T + 1,)
    """

    thresholds: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]


def protocol_mask(
    objects: Sequence[npt.ArrayLike], ignore: npt.ArrayLike | None = None, side: int = PROTOCOL_SIDE
) -> npt.NDArray[np.uint8]:
    """Object masks and an ignore region as one mask in the frame of the maps; an object goes before ignore.

    Args:
        objects: masks (h, w), one an object, 0 outside it; image frame, each of its own size if need be.
        ignore: mask (h, w), 0 where pixels count.
        side: rows and columns of the result; resized to the nearest pixel.

    Returns:
        uint8 (side, side): 1 object, 0 background, 255 ignore.

    Raises:
        DataError: if there is no object, or a mask is not 2-D.
    """
    if not len(objects):
        raise DataError("no object mask: give at least one, if empty")
    inside = np.any([_resized_mask(mask, side) for mask in objects], axis=0)
    outside = np.zeros_like(inside) if ignore is None else _resized_mask(ignore, side)
    return np.where(inside, FOREGROUND, np.where(outside, IGNORE, BACKGROUND)).astype(np.uint8)


def _resized_mask(mask: npt.ArrayLike, side: int) -> npt.NDArray[np.bool_]:
    """Where a mask is not 0, resized to (side, side)."""
    values = (np.asarray(mask) != 0).astype(np.uint8)
    if values.ndim != 2 or not values.size:
        raise DataError(f"a mask has two dimensions (rows, columns), not shape {values.shape}")
    return np.asarray(cv2.resize(values, (side, side), interpolation=cv2.INTER_NEAREST)) > 0


class PixelAveragePrecision:
    """PxAP, added up image by image; holds two histograms alone and can be pickled.

    Attributes:
        step: between map thresholds.
        images: counted so far, those that failed among them.
        failed: images without a map.
    """

    def __init__(self, step: float = THRESHOLD_STEP) -> None:
        self.step = step
        self.images = 0
        self.failed = 0
        # A value of 1 has a bin of its own, [1, 2): it reaches every threshold, 1 included.
        self._edges = np.append(map_thresholds(step), (1.0, 2.0))
        self._inside = np.zeros(len(self._edges) - 1, np.int64)  # pixels of objects
        self._outside = np.zeros(len(self._edges) - 1, np.int64)  # pixels of the background

    def update(self, activation_map: npt.ArrayLike, mask: npt.ArrayLike, image: str = "the image") -> None:
        """Add one image.

        Args:
            activation_map: (224, 224), 0-1; see `resized_map` and `normalized_map` for others.
            mask: (224, 224), 1 object, 0 background, 255 ignore, as `protocol_mask` returns it.
            image: its id, for messages.

        Raises:
            MapError: if the map is of another size, or has NaN or values outside [0, 1].
            DataError: if the mask is of another size.
        """
        truth = np.asarray(mask)
        try:
            values = score_map(activation_map)
        except MapError as error:
            raise MapError(f"{image}: {error}") from error
        if truth.shape != values.shape:
            raise DataError(f"{image}: the mask is of shape {truth.shape}, the map of {values.shape}")
        self._inside += np.histogram(values[truth == FOREGROUND], bins=self._edges)[0]
        self._outside += np.histogram(values[truth == BACKGROUND], bins=self._edges)[0]
        self.images += 1

    def update_failed(self, mask: npt.ArrayLike) -> None:
        """Count an image without a map: as if it were 0 everywhere."""
        self.update(np.zeros((PROTOCOL_SIDE, PROTOCOL_SIDE)), mask)
        self.failed += 1

    def merge(self, other: PixelAveragePrecision) -> None:
        """Add the images of another accumulator, such as another process's.

        Raises:
            ValueError: if its thresholds are others.
        """
        if self.step != other.step:
            raise ValueError("only accumulators of the same map thresholds can be merged")
        self.add_state(other.state())

    def state(self) -> dict[str, npt.NDArray[np.int64]]:
        """What was counted, as integer arrays, for `add_state`."""
        return {
            "images": np.array([self.images, self.failed]),
            "inside": self._inside,
            "outside": self._outside,
        }

    def add_state(self, state: Mapping[str, npt.NDArray[np.int64]]) -> None:
        """Add what an accumulator of the same thresholds has counted, as its `state` says."""
        images, failed = state["images"].tolist()
        self.images += images
        self.failed += failed
        self._inside += state["inside"]
        self._outside += state["outside"]

    def curve(self) -> PixelCurve:
        """Precision and recall at each threshold.

        Raises:
            DataError: if no image has an object's pixel.
        """
        if not self._inside.any():
            raise DataError("no object's pixel in any mask: PxAP needs masks of objects")
        hits = self._inside[::-1].cumsum()[::-1]  # (T + 1,), object pixels at or above each threshold
        reached = hits + self._outside[::-1].cumsum()[::-1]
        precision = np.divide(hits, reached, out=np.ones(len(hits)), where=reached > 0)
        return PixelCurve(self._edges[:-1].copy(), precision, hits / self._inside.sum())

    def value(self) -> float:
        """PxAP in percent: the sum over thresholds of precision times the recall gained, from the top threshold down.

        As in the protocol's code, what reaches the threshold 1 is the first step.

        Raises:
            DataError: if no image has an object's pixel.
        """
        curve = self.curve()
        gained = -np.diff(curve.recall, append=0.0)  # (T + 1,)
        return float((curve.precision * gained).sum() * 100)
