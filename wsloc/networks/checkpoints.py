"""One file a trained network: weights, method, backbone, options, classes, preprocessing, and how it was trained.

The file is a torch zip of plain values and tensors, read with `weights_only=True`: nothing in it is executed.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wsloc.errors import CheckpointError, WslocError
from wsloc.files import replacing
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.tasks import SINGLE_LABEL, TASKS
from wsloc.records import Classes

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "wsloc-checkpoint"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint file holds.

    Attributes:
        method: key of `METHODS` (`gap`, `ep`).
        backbone: name of the backbone.
        classes: what the outputs mean.
        preprocessing: how pictures become inputs.
        weights: the backbone's state dict, under its own (torchvision) names.
        task: `single-label` or `multi-label`.
        options: of the method.
        recipe: how it was trained, plain values.
        data: what it was trained on, plain values.
    """

    method: str
    backbone: str
    classes: Classes
    preprocessing: Preprocessing
    weights: dict[str, Tensor] = field(repr=False)
    task: str = SINGLE_LABEL
    options: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path, *, half: bool = False) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        checkpoint: what to keep.
        path: the file.
        half: store floating-point weights as float16: half the size; they are float32 again once loaded.

    Raises:
        OutputError: if the file cannot be written.
    """
    weights = {
        name: (value.half() if half and value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in checkpoint.weights.items()
    }
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "method": checkpoint.method,
        "backbone": checkpoint.backbone,
        "task": checkpoint.task,
        "class_ids": list(checkpoint.classes.ids),
        "class_names": list(checkpoint.classes.names),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "options": dict(checkpoint.options),
        "recipe": dict(checkpoint.recipe),
        "data": dict(checkpoint.data),
        "weights": weights,
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; its weights come back as float32, on the CPU.

    Raises:
        CheckpointError: if the file is missing, damaged, not a wsloc checkpoint, of a newer format, or a pickle
            that would run code.
    """
    content = read_untrusted(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} holds weights, but is no wsloc checkpoint: bring it in with "
            f"`wsloc import {path} --backbone NAME --method gap|ep --classes names.txt`"
        )
    if content.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} is of checkpoint format {content.get('format_version')}; this wsloc reads {FORMAT_VERSION}: "
            "use the wsloc version that wrote it, or a newer one"
        )
    try:
        return _checkpoint(content)
    except (KeyError, TypeError, ValueError, AttributeError, WslocError) as error:
        raise CheckpointError(f"{path} is damaged: {error!s} is missing or not as it should be") from error


def _checkpoint(content: dict[str, Any]) -> Checkpoint:
    ids, names = tuple(map(str, content["class_ids"])), tuple(map(str, content["class_names"]))
    if not ids or len(ids) != len(names) or len(set(ids)) != len(ids):
        raise ValueError("the list of classes")
    if content["task"] not in TASKS:
        raise ValueError(f"the task {content['task']!r}")
    weights = content["weights"]
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise TypeError("the weights")
    return Checkpoint(
        method=str(content["method"]),
        backbone=str(content["backbone"]),
        classes=Classes(ids, names),
        preprocessing=Preprocessing.from_dict(content["preprocessing"]),
        weights={
            str(name): value.float() if value.is_floating_point() else value
            for name, value in weights.items()
        },
        task=str(content["task"]),
        options=dict(content["options"]),
        recipe=dict(content["recipe"]),
        data=dict(content["data"]),
    )


def read_untrusted(path: Path) -> Any:
    """The content of a torch file (or a .safetensors file), never executing any of it.

    Raises:
        CheckpointError: if the file is missing, empty, damaged, or a pickle of anything but tensors and plain
            values.
    """
    if not path.exists():
        raise CheckpointError(f"{path} is not there: name a checkpoint or weights file")
    if not path.is_file():
        raise CheckpointError(f"{path} is a folder: name a checkpoint or weights file")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "weights_only" in str(error).lower() or "unsupported" in str(error).lower():
            raise CheckpointError(
                f"{path} is refused: it is a pickle that could run code, or no weights file at all; save only the "
                "state dict (torch.save(model.state_dict(), FILE)) or use .safetensors"
            ) from error
        raise CheckpointError(f"{path} cannot be read: it is damaged, or no weights file") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = (
            "it is empty" if path.stat().st_size == 0 else "it is damaged or cut short, or no weights file"
        )
        raise CheckpointError(f"{path} cannot be read: {reason}") from error
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read: it is damaged, or no weights file ({type(error).__name__})"
        ) from error


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CheckpointError(
            f"{path} needs the safetensors package: pip install 'wsloc[safetensors]'"
        ) from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read: it is damaged, or no safetensors file") from error
    return tensors
