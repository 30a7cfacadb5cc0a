"""Classification figures, accumulated batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Scores = npt.NDArray[np.floating]


def topk_error(scores: npt.ArrayLike, targets: npt.ArrayLike, k: int = 1) -> float:
    """Fraction (0-1) of images none of whose labels is among their k best scores.

    Args:
        scores: (N, C), higher is surer; of equal scores the lower class index goes first.
        targets: (N, C), 1 at an image's labels, 0 elsewhere.
        k: guesses an image, at least 1; all classes if there are fewer.

    Raises:
        ValueError: if there are no images, the shapes differ, or k is less than 1.
    """
    ranks, truth = _pair(scores, targets)
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return 1 - _topk_hits(ranks, truth, k) / len(ranks)


def _topk_hits(scores: Scores, truth: npt.NDArray[np.bool_], k: int) -> int:
    """How many images have a label among their k best scores."""
    best = scores.argmax(axis=1)[:, None] if k == 1 else np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return int(np.take_along_axis(truth, best, axis=1).any(axis=1).sum())


def mean_average_precision(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Mean over classes of the average precision (0-1); classes without a positive image are left out.

    Average precision is the mean, over a class's positive images, of the precision at their ranks. Images of
    equal scores have one rank, the last of them, so that the order of the images does not matter.

    Args:
        scores: (N, C), comparable within a class.
        targets: (N, C), 1 at an image's labels, 0 elsewhere.

    Raises:
        ValueError: if there are no images, the shapes differ, or no class has a positive image.
    """
    values, truth = _pair(scores, targets)
    order = np.argsort(-values, axis=0, kind="stable")  # (N, C), best first
    values, hits = np.take_along_axis(values, order, axis=0), np.take_along_axis(truth, order, axis=0)
    places = np.arange(len(hits))[:, None]  # (N, 1)
    last_of_equals = np.concatenate([values[:-1] != values[1:], np.ones_like(hits[:1])])
    # The nearest last-of-equals at or below each place: a running minimum from the bottom up.
    ends = np.where(last_of_equals, places, len(hits))[::-1]
    ends = np.minimum.accumulate(ends, axis=0)[::-1]  # (N, C)
    precision = np.take_along_axis(hits.cumsum(axis=0), ends, axis=0) / (ends + 1)
    positives = hits.sum(axis=0)  # (C,)
    present = positives > 0
    if not present.any():
        raise ValueError("no class has a positive image")
    return float(((precision * hits).sum(axis=0)[present] / positives[present]).mean())


class ClassificationError:
    """The error of a run: top-1 for single-label tasks, 1 - mean average precision for multi-label ones.

    Top-1 is counted batch by batch; average precision needs the scores of all images together, and keeps them.
    """

    def __init__(self, *, multi_label: bool) -> None:
        self.multi_label = multi_label
        self._images = self._hits = 0
        self._scores: list[Scores] = []
        self._targets: list[npt.NDArray[np.bool_]] = []

    def update(self, scores: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Add a batch: both (N, C)."""
        values, truth = _pair(scores, targets)
        if self.multi_label:
            self._scores.append(values)
            self._targets.append(truth)
        else:
            self._images += len(values)
            self._hits += _topk_hits(values, truth, 1)

    def add(self, other: ClassificationError) -> None:
        """Add what another one has counted of other images of the same task."""
        self._images += other._images
        self._hits += other._hits
        self._scores += other._scores
        self._targets += other._targets

    def value(self) -> float:
        """The error so far, 0-1.

        Raises:
            ValueError: if no batch was added.
        """
        if self.multi_label and self._scores:
            return 1 - mean_average_precision(np.concatenate(self._scores), np.concatenate(self._targets))
        if not self._images:
            raise ValueError("no images to judge")
        return 1 - self._hits / self._images


def _pair(scores: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Scores, npt.NDArray[np.bool_]]:
    """Scores as floats (whole numbers could not be negated) and targets as truth values, both (N, C)."""
    values, truth = np.asarray(scores), np.asarray(targets) > 0
    if values.shape != truth.shape or values.ndim != 2 or not values.size:
        raise ValueError(
            f"expected scores and targets of one shape (N, C), got {values.shape} and {truth.shape}"
        )
    return values if values.dtype.kind == "f" else values.astype(np.float64), truth
