"""Classification figures, accumulated batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def topk_error(scores: npt.ArrayLike, targets: npt.ArrayLike, k: int = 1) -> float:
    """Fraction (0-1) of images none of whose labels is among their k best scores.

    Args:
        scores: (N, C), higher is surer; of equal scores the lower class index goes first.
        targets: (N, C), 1 at an image's labels, 0 elsewhere.
        k: guesses an image; all classes if there are fewer.

    Raises:
        ValueError: if there are no images, or the shapes differ.
    """
    ranks, truth = np.asarray(scores), np.asarray(targets)
    if ranks.shape != truth.shape or ranks.ndim != 2 or not len(ranks):
        raise ValueError(
            f"expected scores and targets of one shape (N, C), got {ranks.shape} and {truth.shape}"
        )
    best = np.argsort(-ranks, axis=1, kind="stable")[:, :k]  # (N, k)
    return float(1 - np.take_along_axis(truth > 0, best, axis=1).any(axis=1).mean())


def mean_average_precision(scores: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Mean over classes of the average precision (0-1); classes without a positive image are left out.

    Average precision is the mean, over a class's positive images, of the precision at their ranks.

    Args:
        scores: (N, C), comparable within a class.
        targets: (N, C), 1 at an image's labels, 0 elsewhere.

    Raises:
        ValueError: if no class has a positive image.
    """
    order = np.argsort(-np.asarray(scores), axis=0, kind="stable")  # (N, C)
    hits = np.take_along_axis(np.asarray(targets) > 0, order, axis=0)
    precision = hits.cumsum(axis=0) / np.arange(1, len(hits) + 1)[:, None]
    positives = hits.sum(axis=0)  # (C,)
    if not positives.any():
        raise ValueError("no class has a positive image")
    present = positives > 0
    return float(((precision * hits).sum(axis=0)[present] / positives[present]).mean())


class ClassificationError:
    """The error of a run: top-1 for single-label tasks, 1 - mean average precision for multi-label ones."""

    def __init__(self, *, multi_label: bool) -> None:
        self.multi_label = multi_label
        self._scores: list[npt.NDArray[np.float32]] = []
        self._targets: list[npt.NDArray[np.bool_]] = []

    def update(self, scores: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Add a batch: both (N, C)."""
        self._scores.append(np.asarray(scores, dtype=np.float32))
        self._targets.append(np.asarray(targets) > 0)

    def value(self) -> float:
        """The error so far, 0-1.

        Raises:
            ValueError: if no batch was added.
        """
        scores, targets = np.concatenate(self._scores), np.concatenate(self._targets)
        if self.multi_label:
            return 1 - mean_average_precision(scores, targets)
        return topk_error(scores, targets)
