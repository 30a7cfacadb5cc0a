"""The device that a name stands for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from wsloc.errors import UnsupportedError
from wsloc.running.ranks import on_this_machine

if TYPE_CHECKING:
    from collections.abc import Callable

_KNOWN = "choose auto, cpu, cuda, cuda:N or mps"
_INSTEAD = "use --device cpu"


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device of a name; `auto` is the best one there is: CUDA, else Apple's MPS, else the CPU.

    Where several processes of a run are on one machine, each takes a GPU of its own for `auto` and `cuda`, in turn if
    they are more than the GPUs.

    Raises:
        UnsupportedError: if there is no such device on this machine.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return _own_gpu()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise UnsupportedError(f"unknown device {str(device)!r}: {_KNOWN}") from error
    if place.type not in {"cpu", "cuda", "mps"}:
        raise UnsupportedError(f"device {str(device)!r} is not supported: {_KNOWN}")
    if str(place) == "cuda" and torch.cuda.is_available():
        return _own_gpu()
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise UnsupportedError(f"no CUDA device for {str(device)!r} on this machine: {_INSTEAD}")
    if place.type == "mps" and not torch.backends.mps.is_available():
        raise UnsupportedError(f"no MPS device on this machine: {_INSTEAD}")
    return place


def settling(device: torch.device) -> Callable[[], None] | None:
    """What waits until a GPU has done its work; None for a CPU, which has when a call returns."""
    if device.type == "cuda":
        return partial(torch.cuda.synchronize, device)
    return torch.mps.synchronize if device.type == "mps" else None


def _own_gpu() -> torch.device:
    """The GPU of this process among those of its run on this machine."""
    number, processes = on_this_machine()
    gpus = torch.cuda.device_count()
    return torch.device("cuda", number % gpus) if processes > 1 and gpus > 1 else torch.device("cuda")
