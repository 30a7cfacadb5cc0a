"""Activation maps on their way into regions: checked once, and read as exact integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from wsloc.errors import MapError

if TYPE_CHECKING:
    import numpy.typing as npt

    Cells = npt.NDArray[np.int64]

# Sums of cells stay within 2**62, so that neither they nor their differences leave int64.
_SUM_BITS = 62


def checked_map(activation_map: npt.ArrayLike) -> npt.NDArray[Any]:
    """An activation map as a NumPy array that regions can be taken from.

    Args:
        activation_map: (h, w) array or torch tensor on any device, of any real dtype.

    Returns:
        (h, w), finite, >= 0, of a boolean or integer dtype or of float32 or wider.

    Raises:
        MapError: if the map is not 2-D, is empty or has NaN, infinite or negative values.
    """
    values = _as_array(activation_map)
    if values.dtype.kind not in "biuf":
        raise MapError(f"an activation map holds real numbers, not {values.dtype}: convert it to float32")
    if values.ndim != 2:
        raise MapError(
            f"an activation map has two dimensions (rows, columns), not shape {values.shape}: "
            "pass the map of one class of one image"
        )
    if values.size == 0:
        raise MapError(f"an activation map of shape {values.shape} is empty: pass one that has cells")
    least, peak = values.min(), values.max()  # both NaN if any value is
    if np.isnan(peak):
        raise MapError("the activation map has NaN values: check the weights, or compute the map in float32")
    if least < 0:
        raise MapError(f"the activation map has negative values, down to {least:g}: apply ReLU first")
    if np.isinf(peak):
        raise MapError("the activation map has infinite values: compute the map in float32, or clamp it")
    return values.astype(np.float32) if values.dtype == np.float16 else values


def integer_cells(values: npt.NDArray[Any]) -> Cells:
    """A checked map in integers whose sum is at most 2**62.

    Integer maps stay as they are where their sum allows it. Others are scaled by the power of two that keeps
    the most bits, which is exact for floats from the subnormal to the largest, and rounded: by less than
    2**-40 of the maximum for a map of up to 1024 x 1024 cells.

    Args:
        values: (h, w), as `checked_map` returns it.

    Returns:
        int64 (h, w), >= 0, C-contiguous; all 0 only if all values are.
    """
    peak = values.max()
    bits = _SUM_BITS - (values.size - 1).bit_length()  # what one cell may have
    if values.dtype.kind != "f":
        if int(peak).bit_length() <= bits:
            return values.astype(np.int64, order="C")
        values = values.astype(np.float64)
    power = bits - int(np.frexp(peak)[1])
    # Up to 2**120 the factor is a normal number of every float dtype; beyond, ldexp is exact, but slow.
    scaled = values * values.dtype.type(2.0**power) if abs(power) <= 120 else np.ldexp(values, power)
    np.rint(scaled, out=scaled)
    return cast("Cells", scaled.astype(np.int64, order="C"))


def _as_array(activation_map: npt.ArrayLike) -> npt.NDArray[Any]:
    """An array from whatever came; torch tensors are known by their methods, so that torch stays unloaded."""
    if not hasattr(activation_map, "detach"):
        return np.asarray(activation_map)
    tensor: Any = activation_map.detach().cpu()
    if tensor.is_floating_point() and tensor.element_size() < 4:
        tensor = tensor.float()  # NumPy has no bfloat16
    return cast("npt.NDArray[Any]", tensor.numpy())
