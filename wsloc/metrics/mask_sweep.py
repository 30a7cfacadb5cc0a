"""Mean IoU against the map threshold: every threshold's label maps from one histogram of all pixels.

At a threshold t a pixel is of the class whose score is highest there, if that score exceeds t, and else of the
background: the rule that pads the maps with a background score of t and takes the largest (IRNet's evaluation of
CAMs, and FickleNet's and GAIN's seeds). So a pixel's best class never changes with t, only whether it is claimed:
how often each class wins at each level, rightly or not, tells the whole curve.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wsloc.errors import DataError, MapError
from wsloc.metrics.score_maps import THRESHOLD_STEP, map_thresholds
from wsloc.metrics.segmentation import BACKGROUND, IGNORE, MOST_CLASSES, MaskFigures, mean_percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

RIGHT, FALSE_ALARM, CONFUSED = range(
    3
)  # the best class is the true one; the truth is background; another class


class BestThreshold(NamedTuple):
    """Where a curve is highest.

    Attributes:
        miou: percent.
        threshold: fraction of the maximum; the lowest of equally good ones.
    """

    miou: float
    threshold: float


class MaskSweep:
    """Mean IoU at every threshold, added up image by image; memory does not grow, and it can be pickled.

    Attributes:
        classes: C, beside the background.
        thresholds: (T,), ascending, 0-1.
        images: counted so far, those that failed among them.
        failed: images without maps.

    Args:
        classes: C, 1 to 254.
        step: between thresholds, which begin at 0 and end below 1.
        also: thresholds that are wanted beside these.

    Raises:
        DataError: if label maps of bytes cannot hold so many classes.
        UsageError: if the step is not in [1e-5, 1].
    """

    def __init__(self, classes: int, step: float = THRESHOLD_STEP, also: Iterable[float] = ()) -> None:
        if not 1 <= classes <= MOST_CLASSES:
            raise DataError(f"label maps hold 1 to {MOST_CLASSES} classes, not {classes}")
        self.classes = classes
        # Rounded, so that 300 * 0.001 is the 0.3 that is asked for.
        self.thresholds = np.unique(np.round([*map_thresholds(step), *also], 12))
        self.images = 0
        self.failed = 0
        self._truth = np.zeros(classes + 1, np.int64)
        self._found = np.zeros((3, classes, len(self.thresholds) + 1), np.int64)

    def update(
        self, truth: npt.ArrayLike, maps: npt.ArrayLike, numbers: Sequence[int], image: str = "the image"
    ) -> None:
        """Add one image.

        Args:
            truth: integers (H, W): 0 background, 1 to C, 255 void.
            maps: (P, H, W), P >= 1, 0-1: the scores of the classes that the image is labelled with.
            numbers: P values in 1 to C: which classes these are; of equal scores the first has the pixel.
            image: its id, for messages.

        Raises:
            DataError: if the truth holds another value.
            MapError: if the maps are of another size or number, or hold NaN or values outside 0-1.
        """
        true = self._checked_truth(truth, image)
        scores = np.asarray(maps)
        if scores.shape != (len(numbers), *true.shape) or not len(numbers):
            raise MapError(
                f"{image}: maps of shape {scores.shape} do not fit {len(numbers)} classes and a mask of "
                f"{true.shape[1]} x {true.shape[0]} pixels"
            )
        if not ((scores >= 0) & (scores <= 1)).all():  # NaN is neither
            raise MapError(f"{image}: its maps hold NaN or values outside [0, 1]: scale them first")
        place = scores.argmax(axis=0)  # (H, W)
        best = np.take_along_axis(scores, place[None], axis=0)[0].astype(np.float64)  # (H, W)
        winner = np.asarray(numbers, np.intp)[place]  # (H, W), 1 to C
        kind = np.where(true == winner, RIGHT, np.where(true == BACKGROUND, FALSE_ALARM, CONFUSED))
        counted = true != IGNORE
        levels = len(self.thresholds) + 1  # a level is how many thresholds a score exceeds
        level = np.searchsorted(self.thresholds, best[counted], side="left")
        cells = (kind[counted] * self.classes + winner[counted] - 1) * levels + level
        self._found += np.bincount(cells, minlength=self._found.size).reshape(self._found.shape)
        self._add_truth(true)

    def update_failed(self, truth: npt.ArrayLike, image: str = "the image") -> None:
        """Count an image without maps: as if they were 0 everywhere, so that all of it is background."""
        true = self._checked_truth(truth, image)
        # On level 0 a pixel is claimed at no threshold, whichever class it is counted with.
        self._found[CONFUSED, 0, 0] += int((true != IGNORE).sum())
        self._add_truth(true)
        self.failed += 1

    def merge(self, other: MaskSweep) -> None:
        """Add the images of another accumulator, such as another process's.

        Raises:
            ValueError: if its classes or thresholds are others.
        """
        if self.classes != other.classes or not np.array_equal(self.thresholds, other.thresholds):
            raise ValueError("only accumulators of the same classes and thresholds can be merged")
        self.add_state(other.state())

    def state(self) -> dict[str, Counts]:
        """What was counted, as integer arrays, for `add_state`."""
        return {
            "images": np.array([self.images, self.failed]),
            "truth": self._truth,
            "found": self._found,
        }

    def add_state(self, state: Mapping[str, Counts]) -> None:
        """Add what an accumulator of the same classes and thresholds has counted, as its `state` says."""
        images, failed = state["images"].tolist()
        self.images += images
        self.failed += failed
        self._truth += state["truth"]
        self._found += state["found"]

    @property
    def has_maps(self) -> bool:
        """Whether there is anything to judge: an image that did not fail."""
        return self.images > self.failed

    def figures_at(self, threshold: float) -> MaskFigures:
        """Each class's figures at the threshold that is nearest to a given one."""
        place = int(np.abs(self.thresholds - threshold).argmin())
        claimed, hits = self._claims()
        return MaskFigures(self._truth.copy(), claimed[:, place], hits[:, place])

    def curve(self) -> Floats:
        """The mean IoU in percent at each threshold, (T,).

        Raises:
            ValueError: if no pixel was added.
        """
        claimed, hits = self._claims()
        figures = MaskFigures(np.broadcast_to(self._truth[:, None], hits.shape), claimed, hits)
        return np.array([mean_percent(column) for column in figures.iou.T])

    def best(self) -> BestThreshold:
        """The top of the curve.

        Raises:
            ValueError: if no pixel was added.
        """
        curve = self.curve()
        place = int(curve.argmax())
        return BestThreshold(float(curve[place]), float(self.thresholds[place]))

    def _claims(self) -> tuple[Counts, Counts]:
        """Pixels that are claimed for the background and each class, and those rightly: (C + 1, T) both."""
        exceeding = self._found[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:]  # (3, C, T)
        claimed, hits = exceeding.sum(axis=0), exceeding[RIGHT]
        rest = self._truth.sum() - claimed.sum(axis=0)  # (T,)
        right = self._truth[BACKGROUND] - exceeding[FALSE_ALARM].sum(axis=0)
        return np.concatenate([rest[None], claimed]), np.concatenate([right[None], hits])

    def _checked_truth(self, truth: npt.ArrayLike, image: str) -> npt.NDArray[np.intp]:
        true = np.asarray(truth, dtype=np.intp)
        if true.ndim != 2 or not ((true >= 0) & (true <= self.classes) | (true == IGNORE)).all():
            raise DataError(f"{image}: a true mask (H, W) holds 0 to {self.classes} and {IGNORE}")
        return true

    def _add_truth(self, true: npt.NDArray[np.intp]) -> None:
        self._truth += np.bincount(true[true != IGNORE], minlength=self.classes + 1)
        self.images += 1
