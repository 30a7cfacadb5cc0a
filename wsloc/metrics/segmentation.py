"""How well label maps fit the truth: IoU, precision and recall of each class, from one confusion matrix of all pixels.

A label map's pixels are 0 for the background, 1 to C for the classes, 255 for ignore. Where the truth says 255 (void)
nothing is counted. Where only the prediction says 255, the pixel is claimed for no class: it counts as a miss of the
class that it is of, never as a false alarm. So a prediction that ignores what it is unsure of gains precision and
loses recall, as PSA's and SEAM's evaluations have it. `labelled_figures` leave such pixels out altogether: how good
the labels are where there are some. The two agree where nothing is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

BACKGROUND, IGNORE = 0, 255
MOST_CLASSES = IGNORE - 1  # beside the background


@dataclass(frozen=True, slots=True)
class MaskFigures:
    """Pixel counts of the background and C classes, and what follows from them; everything is (C + 1,).

    Attributes:
        truth: pixels that are of the class.
        claimed: pixels that the prediction says are.
        hits: pixels where both agree.
    """

    truth: Counts
    claimed: Counts
    hits: Counts

    @property
    def iou(self) -> Floats:
        """Intersection over union, 0-1; NaN for a class of which neither side has a pixel."""
        return _share(self.hits, self.truth + self.claimed - self.hits)

    @property
    def precision(self) -> Floats:
        """Which share (0-1) of the claimed pixels is right; NaN for a class that is claimed nowhere."""
        return _share(self.hits, self.claimed)

    @property
    def recall(self) -> Floats:
        """Which share (0-1) of the true pixels is found; NaN for a class without true pixels."""
        return _share(self.hits, self.truth)

    def miou(self) -> float:
        """The mean IoU in percent, over the background and every class of which either side has a pixel.

        Raises:
            ValueError: if there is no such class.
        """
        return mean_percent(self.iou)


def mean_percent(values: Floats) -> float:
    """The mean of fractions in percent; NaN among them is left out.

    Raises:
        ValueError: if nothing else is there.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise ValueError("no pixels to judge")
    return float(known.mean() * 100)


class ConfusionMatrix:
    """Pixels by true and predicted class, added up image by image; can be pickled.

    Attributes:
        classes: C, beside the background.
        images: counted so far, those that failed among them.
        failed: images without a prediction.

    Raises:
        DataError: if a label map of bytes cannot hold so many classes.
    """

    def __init__(self, classes: int) -> None:
        if not 1 <= classes <= MOST_CLASSES:
            raise DataError(f"label maps hold 1 to {MOST_CLASSES} classes, not {classes}")
        self.classes = classes
        self.images = 0
        self.failed = 0
        self._counts = np.zeros((classes + 1, classes + 2), np.int64)

    def update(self, truth: npt.ArrayLike, predicted: npt.ArrayLike, image: str = "the image") -> Counts:
        """Add one image.

        Args:
            truth: integers (H, W): 0 background, 1 to C, 255 void.
            predicted: integers (H, W): 0 background, 1 to C, 255 ignore.
            image: its id, for messages.

        Returns:
            The image's own counts (C + 1, C + 2), truth by prediction, ignore last.

        Raises:
            DataError: if the sizes differ, or a value is none of these.
        """
        rows, columns = self._codes(truth, f"{image}: the truth"), self._codes(predicted, image)
        if rows.shape != columns.shape:
            raise DataError(f"{image}: {_size(columns)} pixels, and its true mask has {_size(rows)}")
        side = self.classes + 2
        joint = np.bincount((rows * side + columns).ravel(), minlength=side * side).reshape(side, side)
        counts = joint[:-1].astype(np.int64)  # void, the last row, is not scored
        self._counts += counts
        self.images += 1
        return counts

    def update_failed(self, truth: npt.ArrayLike) -> None:
        """Count an image without a prediction: as if it were ignored all over."""
        self.update(truth, np.full(np.shape(truth), IGNORE))
        self.failed += 1

    def merge(self, other: ConfusionMatrix) -> None:
        """Add the images of another accumulator, such as another process's.

        Raises:
            ValueError: if it has another number of classes.
        """
        if self.classes != other.classes:
            raise ValueError("only accumulators of the same classes can be merged")
        self.images += other.images
        self.failed += other.failed
        self._counts += other._counts

    def counts(self) -> Counts:
        """Pixels (C + 1, C + 2): a row a true class, a column a predicted one, background first, ignore last."""
        return self._counts.copy()

    def figures(self) -> MaskFigures:
        """Each class's figures; ignored pixels are misses."""
        return figures_of(self._counts)

    def labelled_figures(self) -> MaskFigures:
        """The same of those pixels alone that the prediction does not ignore."""
        return figures_of(self._counts[:, :-1])

    def coverage(self) -> float:
        """Which share of the pixels, in percent, the prediction does not ignore; void is not counted.

        Raises:
            ValueError: if there are no pixels.
        """
        total = int(self._counts.sum())
        if not total:
            raise ValueError("no pixels to judge")
        return 100 * (1 - int(self._counts[:, -1].sum()) / total)

    def _codes(self, values: npt.ArrayLike, what: str) -> npt.NDArray[np.intp]:
        """Label map values as 0 to C, and C + 1 for 255."""
        labels = np.asarray(values)
        if labels.ndim != 2 or labels.dtype.kind not in "iu":
            raise DataError(
                f"{what}: a label map is of integers (H, W), not {labels.dtype} of shape {labels.shape}"
            )
        codes = labels.astype(np.intp)
        codes[labels == IGNORE] = self.classes + 1
        wrong = (codes < 0) | (codes > self.classes + 1) | ((codes == self.classes + 1) & (labels != IGNORE))
        if wrong.any():
            value = int(labels[wrong][0])
            raise DataError(
                f"{what}: the value {value} is neither one of the {self.classes} classes nor {IGNORE}"
            )
        return codes


def figures_of(counts: Counts) -> MaskFigures:
    """Each class's figures from pixels (C + 1, C + 1 or more), true classes by predicted ones."""
    square = counts[:, : len(counts)]
    return MaskFigures(counts.sum(axis=1), square.sum(axis=0), square.diagonal().copy())


def _share(part: Counts, whole: Counts) -> Floats:
    """The quotient, NaN where the whole is 0."""
    share: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return share


def _size(values: npt.NDArray[np.intp]) -> str:
    return f"{values.shape[1]} x {values.shape[0]}"
