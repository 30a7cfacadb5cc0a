"""Which pixels each class claims in its own map: the foreground rules of seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Maps = npt.NDArray[np.floating]
    Claims = npt.NDArray[np.bool_]


def above(maps: Maps, threshold: float) -> Claims:
    """Pixels above a threshold: of maps divided by their maximum, a fraction of it.

    Args:
        maps: (P, H, W).
        threshold: 0-1; what equals it is not above it.
    """
    return maps > threshold


def largest(maps: Maps, share: float) -> Claims:
    """The largest `share` of all pixels of each map, never a zero one; equal ones at the edge are all taken.

    Args:
        maps: (P, H, W), >= 0.
        share: 0-1, rounded to whole pixels.
    """
    pixels = maps.shape[1] * maps.shape[2]
    count = round(share * pixels)
    if not count:
        return np.zeros(maps.shape, np.bool_)
    place = pixels - count
    least = np.partition(maps.reshape(len(maps), -1), place, axis=1)[:, place]  # (P,)
    claims: Claims = (maps >= least[:, None, None]) & (maps > 0)
    return claims


def above_mean(maps: Maps) -> Claims:
    """Pixels above their map's own mean, whatever its height: needs neither a threshold nor ground truth.

    A map that is high in few places has a low mean, one that is spread a high one, so that the threshold follows
    the object's size. docs/seeds.md compares it with Otsu's threshold and others.

    Args:
        maps: (P, H, W).
    """
    claims: Claims = maps > maps.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return claims


FOREGROUND: dict[str, Callable[..., Claims]] = {
    "max": above,
    "pixels": largest,
    "stochastic": above,
    "auto": above_mean,
}
"""name -> `claims(maps, *values)`, (P, H, W); the names of `FOREGROUND_RULES`."""
