"""Localization error with known ground truth: IoU, who is right, and how sure a difference is.

Boxes are xyxy, half-open, in pixels of one frame; the inclusive "+ 1" of the official code stands in the boxes
already (x1 + 1 is the half-open edge), so plain IoU equals it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

IOU_THRESHOLD = 0.5  # of ILSVRC: a box is right from here on


def iou(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes, pair by pair, 0-1; shapes broadcast.

    Args:
        one: (..., 4), xyxy, half-open.
        other: (..., 4), xyxy, half-open, same frame.

    Returns:
        (...); 0 where both boxes are empty.

    Raises:
        ValueError: if the last axis is not 4.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.shape[-1:] != (4,) or second.shape[-1:] != (4,):
        raise ValueError(f"expected boxes (..., 4), got {first.shape} and {second.shape}")
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    intersection = sides.clip(min=0).prod(axis=-1)  # (...)
    union = area(first) + area(second) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros_like(union), where=union > 0))


def area(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Area of boxes (..., 4) in square pixels; 0 for an inverted one."""
    edges = np.asarray(boxes, dtype=np.float64)
    return np.asarray((edges[..., 2:] - edges[..., :2]).clip(min=0).prod(axis=-1))


def best_iou(predicted: npt.ArrayLike, truth: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    """For each image the IoU of its predicted box with the best of its true boxes: (N,), 0 without any.

    Args:
        predicted: (N, 4), one box an image.
        truth: N arrays (M_i, 4).

    Raises:
        ValueError: if there are not as many truths as predictions, or boxes of another shape.
    """
    boxes = _box_list(predicted)
    if len(boxes) != len(truth):
        raise ValueError(f"expected a truth for each of {len(boxes)} predictions, got {len(truth)}")
    best = np.zeros(len(boxes))
    if len(boxes):
        # All pairs of all images at once: the loop over images stays out of the arithmetic.
        true_boxes = [_box_list(members) for members in truth]
        owner = np.repeat(np.arange(len(boxes)), [len(members) for members in true_boxes])
        np.maximum.at(best, owner, iou(boxes[owner], np.concatenate(true_boxes)))
    return best


def _box_list(boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Boxes (M, 4), of which there may be none."""
    found = np.asarray(boxes, dtype=np.float64)
    if not found.size:
        return np.empty((0, 4))
    if found.ndim != 2 or found.shape[1] != 4:
        raise ValueError(f"expected boxes (M, 4), got {found.shape}")
    return found


def gt_known_localization_error(
    predicted: npt.ArrayLike, truth: Sequence[npt.ArrayLike], iou_threshold: float = IOU_THRESHOLD
) -> float:
    """Fraction (0-1) of images whose box for the true class has IoU below the threshold with every true box.

    The class is given, so that only the localization is judged (GT-known Loc of the WSOL literature; the
    ILSVRC criterion, Russakovsky et al., IJCV 2015, section 4.2, without its labels).

    Args:
        predicted: (N, 4), one box an image, found for its true class.
        truth: N arrays (M_i, 4): the boxes of that class.
        iou_threshold: from which on a box is right, 0-1.

    Raises:
        ValueError: if there are no images, or not as many truths as predictions.
    """
    overlaps = best_iou(predicted, truth)
    if not len(overlaps):
        raise ValueError("no images to judge")
    return float((overlaps < iou_threshold).mean())


def paired_bootstrap(
    one: npt.ArrayLike,
    other: npt.ArrayLike,
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    random_seed: int = 0,
) -> tuple[float, float, float]:
    """Mean difference of two figures measured on the same images, with its percentile interval.

    Args:
        one: (N,) or (S, N): a figure of each image (of S runs, resampled together), such as 1 for wrong.
        other: the same images, in the same order.
        resamples: of the images, with replacement; at least 1.
        confidence: of the interval, 0-1.
        random_seed: of the resampling.

    Returns:
        (mean of one - other, lower end, upper end).

    Raises:
        ValueError: if the shapes differ, there are no images, or an option is out of its range.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if first.shape != second.shape or first.ndim not in (1, 2) or not first.size:
        raise ValueError(f"expected the same images twice, got {first.shape} and {second.shape}")
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(f"cannot take a {confidence} interval of {resamples} resamples")
    difference = np.atleast_2d(first - second).mean(axis=0)  # (N,), runs averaged within an image
    random, images = np.random.default_rng(random_seed), len(difference)
    # One resample at a time: all of them at once would take gigabytes for some ten thousand images.
    means = [difference[random.integers(images, size=images)].mean() for _ in range(resamples)]
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return float(difference.mean()), float(lower), float(upper)
