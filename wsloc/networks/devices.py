"""The device that a name stands for."""

from __future__ import annotations

import torch

from wsloc.errors import UnsupportedError

_KNOWN = "choose auto, cpu, cuda, cuda:N or mps"
_INSTEAD = "use --device cpu"


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device of a name; `auto` is the best one there is: CUDA, else Apple's MPS, else the CPU.

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
        raise UnsupportedError(f"unknown device {str(device)!r}: {_KNOWN}") from error
    if place.type not in {"cpu", "cuda", "mps"}:
        raise UnsupportedError(f"device {str(device)!r} is not supported: {_KNOWN}")
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise UnsupportedError(f"no CUDA device for {str(device)!r} on this machine: {_INSTEAD}")
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise UnsupportedError(f"no MPS device on this machine: {_INSTEAD}")
    return place
