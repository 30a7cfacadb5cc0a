"""Activation maps on their way into threshold curves: checked, resized on request, never silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from wsloc.errors import MapError, UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

PROTOCOL_SIDE = 224  # rows and columns that maps, boxes and masks are brought to before they are compared
THRESHOLD_STEP = 0.001
SMALLEST_STEP = 1e-5  # below, a curve has more points than a map has grey values and pixels together


def map_thresholds(step: float = THRESHOLD_STEP) -> npt.NDArray[np.float64]:
    """The thresholds of a curve, fractions of a map's maximum: 0, step, 2 step, ... below 1.

    Raises:
        UsageError: if the step is not in [1e-5, 1].
    """
    if not SMALLEST_STEP <= step <= 1:
        raise UsageError(f"the threshold step is between {SMALLEST_STEP:g} and 1, not {step}: 0.001 is usual")
    return np.arange(0, 1, step)


def score_map(activation_map: npt.ArrayLike, side: int | None = PROTOCOL_SIDE) -> npt.NDArray[np.float64]:
    """A map that can be scored as it is.

    Args:
        activation_map: (side, side), of any real dtype, values in 0-1.
        side: rows and columns the map must have; None for any size.

    Returns:
        The same values in float64, as the protocol multiplies them.

    Raises:
        MapError: if the map is not 2-D, is empty or of another size, or has NaN or values outside [0, 1].
    """
    values = finite_map(activation_map)
    if side is not None and values.shape != (side, side):
        raise MapError(
            f"the map is {values.shape[0]} x {values.shape[1]}, and maps are scored at {side} x {side}: "
            "ask for it to be resized"
        )
    least, peak = values.min(), values.max()
    if least < 0 or peak > 1:
        raise MapError(
            f"the map's values span {least:g} to {peak:g}, outside [0, 1]: scale them, or use --normalize"
        )
    return values


def finite_map(activation_map: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A map of any finite values in float64, (h, w).

    Raises:
        MapError: if the map is not 2-D, is empty, is not of real numbers, or has NaN or infinite values.
    """
    raw = np.asarray(activation_map)
    if raw.dtype.kind not in "biuf":
        raise MapError(f"a map holds real numbers, not {raw.dtype}: convert it to float32")
    if raw.ndim != 2 or not raw.size:
        raise MapError(f"a map has two dimensions (rows, columns), not shape {raw.shape}")
    values = raw.astype(np.float64)
    if not np.isfinite(values).all():
        raise MapError("the map has NaN or infinite values: compute it in float32")
    return values


def resized_map(activation_map: npt.ArrayLike, side: int = PROTOCOL_SIDE) -> npt.NDArray[np.float64]:
    """A map brought to side x side: by area averages where both sides shrink, bilinearly otherwise.

    Both keep values within the range they had. The WSOL protocol's own networks are upsampled bicubically and
    min-max normalised after that; on maps that are normalised already, bicubic would leave [0, 1].

    Args:
        activation_map: (h, w), any finite values; the whole image, whatever its proportions.
        side: rows and columns of the result.

    Returns:
        (side, side), pixel centres aligned at half-integers.

    Raises:
        MapError: as for `finite_map`.
    """
    values = finite_map(activation_map)
    if values.shape == (side, side):
        return values
    interpolation = cv2.INTER_AREA if min(values.shape) >= side else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(values, (side, side), interpolation=interpolation), dtype=np.float64)
    return resized.clip(values.min(), values.max())  # rounding alone can leave the range


def map_in_image(activation_map: npt.ArrayLike, image_size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A map brought to the size of the image that it covers, bilinearly; its values keep within their range.

    Args:
        activation_map: (h, w), any finite values.
        image_size: (height, width) in pixels.

    Returns:
        float32 (height, width), pixel centres aligned at half-integers.

    Raises:
        MapError: as for `finite_map`.
    """
    values = finite_map(activation_map).astype(np.float32)
    if values.shape == image_size:
        return values
    resized = cv2.resize(values, image_size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.float32).clip(values.min(), values.max())


def normalized_map(activation_map: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A map moved and scaled so that its least value is 0 and its greatest 1; a constant map becomes zeros.

    Raises:
        MapError: as for `finite_map`.
    """
    values = finite_map(activation_map)
    values -= values.min()
    peak = values.max()
    return values / peak if peak > 0 else values
