"""The device that a name stands for."""

from __future__ import annotations

import torch

from wsloc.errors import UnsupportedError


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device of a name; `auto` is the best one there is.

    Raises:
        UnsupportedError: if there is no such device on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UnsupportedError(f"unknown device {device!r}: choose auto, cpu, cuda, cuda:N or mps") from error
    if place.type not in {"cpu", "cuda", "mps"}:
        raise UnsupportedError(f"device {device!r} is not supported: choose auto, cpu, cuda, cuda:N or mps")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise UnsupportedError(f"no CUDA device for {device!r} on this machine: use --device cpu")
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise UnsupportedError("no MPS device on this machine: use --device cpu")
    return place
