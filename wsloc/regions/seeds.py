"""Label maps for the training of a segmentation network, from class maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import MapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

IGNORE = 255  # of no class: not learnt from


def stochastic_seeds(
    maximum: npt.NDArray[np.floating],
    mean: npt.NDArray[np.floating],
    labels: Sequence[int],
    theta: float = 0.35,
) -> npt.NDArray[np.uint8]:
    """The label map of random maps' maximum and mean over their draws.

    A pixel is of a class if any draw exceeds theta there, which is to say if their maximum does; of several such
    classes, of the one whose mean is highest. Lee et al., FickleNet, CVPR 2019, section 3.2.2.

    Args:
        maximum: (P, H, W), 0-1, upsampled already.
        mean: (P, H, W), 0-1, likewise.
        labels: P values, 0-254, that stand for the classes; of equal means the first class has the pixel.
        theta: 0-1; what equals it does not exceed it.

    Returns:
        (H, W): a label, or 255 (ignore) where no class exceeds theta.

    Raises:
        MapError: if shapes do not fit, a map holds NaN, or a label is not in 0-254.
    """
    if maximum.ndim != 3 or maximum.shape != mean.shape or len(labels) != len(maximum):
        raise MapError(
            f"maxima of {maximum.shape}, means of {mean.shape} and {len(labels)} labels do not go together"
        )
    if np.isnan(maximum).any() or np.isnan(mean).any():
        raise MapError("a map holds NaN")
    if not all(0 <= label < IGNORE for label in labels):
        raise MapError(f"labels are in 0-{IGNORE - 1}, not {list(labels)}")
    if not len(labels):
        return np.full(maximum.shape[1:], IGNORE, np.uint8)
    exceeding = maximum > theta  # (P, H, W)
    best = np.where(exceeding, mean, -np.inf).argmax(axis=0)  # (H, W)
    found = np.asarray(labels, np.uint8)[best]
    return np.where(exceeding.any(axis=0), found, np.uint8(IGNORE))
