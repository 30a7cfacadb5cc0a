"""Figures of label maps, slow and literal: sets of pixels, one class at a time; a threshold at a time."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Pixels = set[tuple[int, int, int]]


def pixels_of(masks: Sequence[npt.NDArray[Any]], value: int) -> Pixels:
    """(image, row, column) of every pixel that has the value."""
    return {
        (number, row, column)
        for number, mask in enumerate(masks)
        for row, column in product(*map(range, mask.shape))
        if mask[row, column] == value
    }


def figures(
    truths: Sequence[npt.NDArray[Any]], masks: Sequence[npt.NDArray[Any]], classes: int
) -> list[dict[str, float]]:
    """IoU, precision and recall of the background and each class; those without a divisor are absent."""
    void = pixels_of(truths, 255)
    rows = []
    for value in range(classes + 1):
        true, claimed = pixels_of(truths, value), pixels_of(masks, value) - void
        both = len(true & claimed)
        wholes = {"iou": len(true | claimed), "precision": len(claimed), "recall": len(true)}
        rows.append({key: both / whole for key, whole in wholes.items() if whole})
    return rows


def miou(truths: Sequence[npt.NDArray[Any]], masks: Sequence[npt.NDArray[Any]], classes: int) -> float:
    """The mean over those classes that have a pixel anywhere, percent."""
    ious = [row["iou"] for row in figures(truths, masks, classes) if "iou" in row]
    return 100 * sum(ious) / len(ious)


def label_map(maps: npt.NDArray[Any], numbers: Sequence[int], threshold: float) -> npt.NDArray[Any]:
    """The class of the highest score that exceeds the threshold, 0 where none does; (H, W) from (P, H, W)."""
    result = np.zeros(maps.shape[1:], np.int64)
    for row, column in product(*map(range, result.shape)):
        best = threshold
        for number, scores in zip(numbers, maps, strict=True):
            if scores[row, column] > best:
                best, result[row, column] = scores[row, column], number
    return result
