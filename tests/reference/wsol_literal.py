"""MaxBoxAcc and PxAP word by word: one threshold, one contour, one pair of boxes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

Corners = tuple[int, int, int, int]  # x0, y0, x1, y1, all inclusive


def boxes_at(values: npt.NDArray[Any], threshold: float) -> tuple[Corners, list[Corners]]:
    """The largest contour's box and every contour's at one threshold; (0, 0, 0, 0) if there is no contour."""
    height, width = values.shape
    grey = (values.astype(np.float64) * 255).astype(np.uint8)
    above = (grey > int(threshold * int(grey.max()))).astype(np.uint8)
    contours, _ = cv2.findContours(above, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    boxes: list[Corners] = []
    largest: tuple[float, Corners] | None = None
    for contour in contours:
        x, y, across, down = cv2.boundingRect(contour)
        box = (x, y, min(x + across, width - 1), min(y + down, height - 1))
        boxes.append(box)
        if largest is None or cv2.contourArea(contour) > largest[0]:
            largest = (cv2.contourArea(contour), box)
    if largest is None:
        return (0, 0, 0, 0), [(0, 0, 0, 0)]
    return largest[1], boxes


def in_map(box: Sequence[float], width: int, height: int, side: int) -> Corners:
    """An inclusive box of an image in the frame of a side x side map, every corner truncated."""
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return (
        int(x0 * side / width),
        int(y0 * side / height),
        int(x1 * side / width),
        int(y1 * side / height),
    )


def overlap(one: Corners, other: Corners) -> float:
    """IoU of two boxes with inclusive corners."""
    across = min(one[2], other[2]) - max(one[0], other[0]) + 1
    down = min(one[3], other[3]) - max(one[1], other[1]) + 1
    common = max(across, 0) * max(down, 0)
    sizes = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    return common / (sum(sizes) - common)


def best_overlaps(
    values: npt.NDArray[Any], truth: Sequence[Corners], thresholds: Iterable[float]
) -> tuple[list[float], list[float]]:
    """Best IoU with any true box (in the map's frame) at each threshold: of the largest contour, of any contour."""
    single, multi = [], []
    for threshold in thresholds:
        largest, boxes = boxes_at(values, threshold)
        single.append(max(overlap(largest, box) for box in truth))
        multi.append(max(overlap(found, box) for found in boxes for box in truth))
    return single, multi


def pixel_average_precision(
    maps: Sequence[npt.NDArray[Any]], masks: Sequence[npt.NDArray[Any]], thresholds: Sequence[float]
) -> float:
    """Percent: precision times the recall gained, from the threshold 1 down; mask pixels of 255 do not count."""
    values = np.concatenate([m.astype(np.float64).ravel() for m in maps])
    truth = np.concatenate([mask.ravel() for mask in masks])
    objects = int((truth == 1).sum())
    total, recall_before = 0.0, 0.0
    for threshold in (1.0, *sorted(thresholds, reverse=True)):
        hits = int(((values >= threshold) & (truth == 1)).sum())
        misses = int(((values >= threshold) & (truth == 0)).sum())
        if hits + misses:
            total += hits / (hits + misses) * (hits / objects - recall_before)
            recall_before = hits / objects
    return total * 100
