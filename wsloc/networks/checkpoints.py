"""One file a trained network: weights, method, backbone, options, classes, preprocessing, and how it was trained.

The file is a torch zip of plain values and tensors, read with `weights_only=True`: nothing in it is executed.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wsloc.errors import CheckpointError, OutputError
from wsloc.files import replacing
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.tasks import SINGLE_LABEL, TASKS
from wsloc.records import Classes
from wsloc.words import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "wsloc-checkpoint"
FORMAT_VERSION = 1

LARGEST_REPEATED = (
    1 << 30
)  # bytes of a weight that repeats the same numbers: a few may stand for terabytes so

_ZIP = b"PK\x03\x04"
# What stands in place of weights after a download that went wrong: first bytes -> what it is, and the remedy.
_IMPOSTORS = {
    (b"<!doctype", b"<html"): "a web page: download the file itself",
    (b"version https://git-lfs",): "a git LFS pointer: fetch the file itself with `git lfs pull`",
}
_DAMAGED = "cannot be read: it is damaged or cut short, or no weights file"
_FOREIGN_OBJECT = re.compile(r"GLOBAL ([\w.]+)")


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
    """Write a checkpoint, whole or not at all; the same checkpoint gives the same bytes under any name.

    Args:
        checkpoint: what to keep.
        path: the file.
        half: store floating-point weights as float16: half the size; they are float32 again once loaded.
            Entries that float16 cannot hold (beyond 65,504) keep their precision.

    Raises:
        OutputError: if the file cannot be written.
        TypeError: if options, recipe or data hold anything but plain values, which could not be read again.
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "method": checkpoint.method,
        "backbone": checkpoint.backbone,
        "task": checkpoint.task,
        "class_ids": list(checkpoint.classes.ids),
        "class_names": list(checkpoint.classes.names),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "options": checkpoint.options,
        "recipe": checkpoint.recipe,
        "data": checkpoint.data,
    }
    weights = {name: _stored(value, half=half) for name, value in checkpoint.weights.items()}
    content = {**_plain(content, "checkpoint"), "weights": weights}
    # A stream, not the path: torch would write the name of the temporary file into the archive.
    with replacing(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # how torch reports that it could write a part only
            raise OutputError(f"cannot write {path}: is the disk full?") from error


def _stored(value: Tensor, *, half: bool) -> Tensor:
    # A copy of its own: of a view, torch would store all that it is a view of.
    value = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if half and value.is_floating_point():
        halved = value.half()
        return halved if torch.equal(halved.isfinite(), value.isfinite()) else value
    return value


def _plain(value: Any, place: str) -> Any:
    """The value as Python's own types, which reading allows; NumPy's scalars are converted."""
    if isinstance(value, dict):
        return {str(key): _plain(inner, f"{place}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, place) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    raise TypeError(f"{place} is a {type(value).__name__}: checkpoints hold plain values only")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; its weights come back as float32, on the CPU.

    Raises:
        CheckpointError: if the file is missing, damaged, not a wsloc checkpoint, of a newer format, or a pickle
            that would run code.
    """
    content = read_untrusted(path)
    if not is_checkpoint(content):
        raise CheckpointError(
            f"{path} holds weights, but is no wsloc checkpoint: bring it in with "
            f"`wsloc import {path} --backbone NAME --method gap|ep --classes names.txt`"
        )
    version = content.get("format_version")
    if not isinstance(version, int) or version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} is of checkpoint format {version if isinstance(version, int) else 'unknown'}; this wsloc "
            f"reads {FORMAT_VERSION}: use the wsloc version that wrote it, or a newer one"
        )
    try:
        return _checkpoint(content)
    except (CheckpointError, OverflowError) as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error


def is_checkpoint(content: object) -> bool:
    """Whether what `read_untrusted` gave is a wsloc checkpoint (of any version)."""
    if not isinstance(content, dict):
        return False
    kind = content.get("format")
    return isinstance(kind, str) and kind == FORMAT


def _checkpoint(content: dict[str, Any]) -> Checkpoint:
    def taken(name: str, kind: type) -> Any:
        if not isinstance(content.get(name), kind):
            raise CheckpointError(f"its {name!r} is missing, or no {kind.__name__}")
        return content[name]

    def plain(name: str) -> dict[str, Any]:
        values: dict[str, Any] = taken(name, dict)
        if not is_plain(values):
            raise CheckpointError(f"its {name!r} holds more than plain values")
        return values

    classes = Classes(tuple(taken("class_ids", list)), tuple(taken("class_names", list)))
    if not all(isinstance(word, str) for word in (*classes.ids, *classes.names)):
        raise CheckpointError("its classes are not all words")
    if not classes.ids or len(classes.ids) != len(classes.names) or len(set(classes.ids)) != len(classes):
        raise CheckpointError(
            f"its classes do not fit ({len(classes)} ids, {len(set(classes.ids))} different, "
            f"{len(classes.names)} names)"
        )
    if taken("task", str) not in TASKS:
        raise CheckpointError(f"its task is {content['task']!r}, not {' or '.join(TASKS)}")
    return Checkpoint(
        method=taken("method", str),
        backbone=taken("backbone", str),
        classes=classes,
        preprocessing=Preprocessing.from_dict(plain("preprocessing")),
        weights=checked_weights(taken("weights", dict)),
        task=content["task"],
        options=plain("options"),
        recipe=plain("recipe"),
        data=plain("data"),
    )


def checked_weights(state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """A state dict as networks take it: dense tensors, floating-point ones as float32, all of them finite.

    Raises:
        CheckpointError: if an entry is something else; names the entry, not the file.
    """
    weights = {}
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(
                f"its weight {name!r} is a {type(value).__name__}, not a tensor by its name"
            )
        if (
            value.layout != torch.strided
            or value.is_nested
            or value.is_quantized
            or value.is_complex()
            or value.is_meta
        ):
            raise CheckpointError(f"its weight {name!r} is sparse, quantized, complex or without data")
        size = value.numel() * value.element_size()
        if size > max(LARGEST_REPEATED, value.untyped_storage().nbytes()):
            raise CheckpointError(
                f"its weight {name!r} says that it is of {size:,} bytes, which the file lacks"
            )
        try:
            weights[name] = value.detach().float() if value.is_floating_point() else value
            is_finite = bool(weights[name].isfinite().all())
        except RuntimeError as error:  # torch has types that it does not calculate with
            raise CheckpointError(f"its weight {name!r} is of {value.dtype}, which is not read") from error
        if not is_finite:
            raise CheckpointError(
                f"its weight {name!r} is not finite: the training that wrote it has diverged"
            )
    if not weights:
        raise CheckpointError("it has no weights")
    return weights


def is_plain(values: object) -> bool:
    """Whether values are what a checkpoint keeps beside its weights: numbers and words, in dicts and lists."""
    try:
        _plain(values, "")
    except (TypeError, RecursionError):  # a made-up file may hold a dict inside itself
        return False
    return True


def read_untrusted(path: Path) -> Any:
    """The content of a torch file (or a .safetensors file), never executing any of it.

    Raises:
        CheckpointError: if the file is missing, empty, damaged (by its checksums, where it has any), or a pickle
            of anything but tensors and plain values.
    """
    first_bytes = _first_bytes(path)
    for beginnings, impostor in _IMPOSTORS.items():
        if first_bytes.lstrip().lower().startswith(beginnings):
            raise CheckpointError(f"{path} is {impostor}")
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    if first_bytes.startswith(_ZIP):
        _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of its own deprecated types in older files
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = _FOREIGN_OBJECT.search(str(error))
        if found is not None:
            raise CheckpointError(
                f"{path} is refused: it is a pickle that could run code (it holds {found[1]}): save only the state "
                "dict (torch.save(model.state_dict(), FILE)), or use .safetensors"
            ) from error
        raise _refusal(path) from error
    except Exception as error:  # a damaged pickle raises anything on its way to being refused
        raise _refusal(path) from error


def _refusal(path: Path) -> CheckpointError:
    """Why a file that torch cannot read is refused: a plain pickle, of which nothing is executed, or damage."""
    called = ""
    with suppress(Exception), path.open("rb") as stream:  # a damaged pickle raises anything
        strings: list[str] = []
        # What other files begin with may pass for opcodes: only what says that it is a pickle is looked at.
        for code, argument, _ in pickletools.genops(stream) if stream.peek(1)[:1] == pickle.PROTO else ():
            if code.name in {"GLOBAL", "INST"}:
                called = str(argument).replace(" ", ".")
            elif code.name == "STACK_GLOBAL":
                called = ".".join(strings)
            elif isinstance(argument, str):
                strings = [*strings[-1:], argument]
            if called:
                break
    if called:
        return CheckpointError(
            f"{path} is refused: it is a plain pickle that could run code (it calls {printable(called)}): save the "
            "state dict with torch.save(model.state_dict(), FILE), or use .safetensors"
        )
    return CheckpointError(f"{path} {_DAMAGED}")


def _first_bytes(path: Path) -> bytes:
    """What a file begins with; refuses whatever is no file, or an empty one."""
    wanted = "name a checkpoint or weights file"
    try:
        if path.is_dir():
            raise CheckpointError(f"{path} is a folder: {wanted}")
        if not path.is_file():
            raise CheckpointError(f"{path} is {'no file' if path.exists() else 'not there'}: {wanted}")
        with path.open("rb") as stream:
            first_bytes = stream.read(64)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}: {wanted}") from error
    if not first_bytes:
        raise CheckpointError(f"{path} cannot be read: it is empty")
    return first_bytes


def _check_archive(path: Path) -> None:
    """Refuses archives of something else, and those whose content is not what was written."""
    try:
        names = _verified_names(path)
    except Exception as error:
        raise CheckpointError(f"{path} {_DAMAGED}") from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(f"{path} is a TorchScript program: save its state_dict() instead")
    if not any(name.endswith("/data.pkl") for name in names):
        raise CheckpointError(f"{path} is a zip archive, but no torch file")


def _verified_names(path: Path) -> list[str]:
    """The entries of an archive, after a look at their checksums, which torch writes but does not compare."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.CRC:  # 0: written with checksums switched off
                with archive.open(entry) as stream:
                    while stream.read(1 << 20):  # compares at the entry's end
                        pass
        return archive.namelist()


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise CheckpointError(
            f"{path} needs the safetensors package: pip install 'wsloc[safetensors]'"
        ) from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except Exception as error:  # the package's errors have no type in common
        raise CheckpointError(f"{path} cannot be read: it is damaged, or no safetensors file") from error
    return tensors
