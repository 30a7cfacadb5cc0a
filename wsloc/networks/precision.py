"""The number format that a network's trunk works in."""

from __future__ import annotations

import warnings

import torch

from wsloc.errors import UnsupportedError

# Name -> what the trunk's autocast works in; None: no autocast.
PRECISIONS: dict[str, torch.dtype | None] = {
    "float32": None,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def autocasting(device_type: str, dtype: torch.dtype | None) -> torch.autocast:
    """The context in which a trunk runs.

    Args:
        device_type: `cpu`, `cuda` or `mps`.
        dtype: a value of `PRECISIONS`.
    """
    return torch.autocast(device_type, dtype or torch.bfloat16, enabled=dtype is not None)


def checked_precision(device: torch.device, dtype: torch.dtype | None) -> torch.dtype | None:
    """A value of `PRECISIONS` as it is.

    Raises:
        UnsupportedError: if trunks cannot run in it on the device.
    """
    if dtype is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # where it has no such format, autocast warns, or raises
            torch.autocast(device.type, dtype)
    except (RuntimeError, UserWarning) as error:
        others = " or ".join(name for name, other in PRECISIONS.items() if other is not dtype)
        raise UnsupportedError(
            f"{device} does not work in {precision_name(dtype)}: take --precision {others}"
        ) from error
    return dtype


def precision_name(dtype: torch.dtype | None) -> str:
    """The name of a value of `PRECISIONS`."""
    return next(name for name, known in PRECISIONS.items() if known is dtype)
