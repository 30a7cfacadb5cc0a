"""Other people's state dicts, brought to a backbone's own names and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wsloc.errors import CheckpointError, DataError
from wsloc.networks.backbones import build_backbone, imagenet_classes, prepare_state
from wsloc.networks.checkpoints import checked_weights, is_checkpoint, read_untrusted
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torch import nn

    Shapes = dict[str, tuple[int, ...]]

# Under which trainings keep the state dict, beside optimizers and counters.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "module")
# Parts of a name: of what stands around a backbone, and of what wraps a module anywhere inside it.
PREFIXES = frozenset({"model", "backbone", "net", "network"})
ANYWHERE = frozenset({"module", "_orig_mod"})
CLASSIFIER_NAMES = frozenset({"classifier", "fc", "head", "linear", "last_linear"})

MOST_KEYS = 20  # that a refusal lists: enough to see which layers they are, and still one line

# Auxiliary classifiers (Inception, GoogLeNet): only the training of those networks uses them.
_AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
# Counters: of batches, which nothing reads, and those that profilers leave behind in every layer.
_BATCHES = "num_batches_tracked"
_COUNTERS = ("total_ops", "total_params", _BATCHES)
# A number of classes by which the layers that depend on it are told: a prime that no other layer is wide.
_OUTPUTS = 1009

# Lines of class names: an id and a name parted by TAB, by a space behind a WordNet id, or by a comma; or a name,
# which is its own id.
_PARTED = (
    re.compile(r"([^\t]*)\t([^\t]*)"),
    re.compile(r"(n\d{8}) (.*)"),
    re.compile(r"([^\s,]+),(.*)"),
    re.compile(r"((.*))"),
)


@dataclass(frozen=True, slots=True)
class Imported:
    """Weights that fit a backbone.

    Attributes:
        weights: the backbone's whole state dict, under its own (torchvision) names, float32.
        classes: C, the number of outputs.
        missing: entries of auxiliary classifiers that the file lacks; they are zeros, and of no use here.
        unexpected: entries of the file that are none of the backbone's; left out.
    """

    weights: dict[str, Tensor] = field(repr=False)
    classes: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


def import_state_dict(
    path: Path, backbone: str, classes: int | None = None, *, headless: bool = False
) -> Imported:
    """Weights of somebody else's training, as the backbone has them.

    Taken as they come: dicts around the state dict, prefixes of modules around the backbone, older DenseNet
    names, any floating-point type, the classifier under another name, as a linear layer or a 1x1 convolution,
    with or without bias, and auxiliary classifiers or none.

    Args:
        path: a torch file (read without executing any of it) or a .safetensors file.
        backbone: a name of `available_backbones()`.
        classes: the number of outputs that is expected; None for however many the file has.
        headless: whether a file without a classifier that fits will do: it is then one output of zeros.

    Raises:
        CheckpointError: if the file cannot be read, is a wsloc checkpoint already, or does not hold exactly the
            backbone's layers; names keys, shapes and the likely cause.
        UnsupportedError: if there is no such backbone.
    """
    reference = _reference(backbone)
    content = read_untrusted(path)
    if is_checkpoint(content):
        raise CheckpointError(f"{path} is a wsloc checkpoint: it needs no import, give it with --checkpoint")
    try:
        imported = _imported(content, reference, headless=headless)
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit {backbone}: {error}") from error
    if classes not in (None, imported.classes):
        raise CheckpointError(f"{path} has {imported.classes} outputs, but {classes} classes are expected")
    return imported


def read_class_names(path: Path) -> Classes:
    """The classes of a text file, one a line in the order of the outputs.

    A line is `name`, or an id and a name: `id<TAB>name`, `id,name` or `n01443537 name`, all lines alike. Ids
    before a comma have no spaces: `great white shark, white shark` is a name.

    Raises:
        DataError: if the file cannot be read, has no lines, or a line is empty or has an id that another one
            has; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip("\n ")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"cannot read the class names {path}: {reason}") from error
    if not text:
        raise DataError(f"{path}: holds no class names: one a line is expected")
    lines = [line.strip(" ") for line in text.split("\n")]
    parted = _PARTED[0] if "\t" in text else next(form for form in _PARTED if all(map(form.fullmatch, lines)))
    first_lines: dict[str, int] = {}
    names = []
    for number, line in enumerate(lines, start=1):
        found = parted.fullmatch(line)
        class_id, name = (part.strip(' "') for part in found.groups()) if found else ("", "")
        if not class_id or not name:
            raise DataError(f"{path}:{number}: expected `name` or `id<TAB>name`, as on all other lines")
        if class_id in first_lines:
            raise DataError(f"{path}:{number}: {class_id} stands on line {first_lines[class_id]} already")
        first_lines[class_id] = number
        names.append(name)
    return Classes(tuple(first_lines), tuple(names))


def imported_classes(path: Path | None, count: int) -> Classes:
    """What the outputs of imported weights mean: a file's class names, ImageNet's for 1000, or plain numbers.

    Args:
        path: as `read_class_names` takes it, or None.
        count: C, the number of outputs.

    Raises:
        DataError: if the file cannot be read, or has more or fewer names than there are outputs.
    """
    if path is None:
        numbers = tuple(map(str, range(count)))
        return imagenet_classes() if count == 1000 else Classes(numbers, numbers)
    classes = read_class_names(path)
    if len(classes) != count:
        raise DataError(f"{path}: {len(classes)} class names for a network with {count} outputs")
    return classes


def _reference(backbone: str) -> nn.Module:
    """The backbone with `_OUTPUTS` classes, for its names and shapes: without data where that can be had."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return build_backbone(backbone, classes=_OUTPUTS).model
        except NotImplementedError:  # RegNet calculates its widths with tensors
            return build_backbone(backbone, classes=_OUTPUTS).model


def _imported(content: object, reference: nn.Module, *, headless: bool) -> Imported:
    """The backbone's weights out of a file's content; errors do not name the file."""
    own: Shapes = {key: tuple(value.shape) for key, value in reference.state_dict().items()}
    state = _renamed(prepare_state(reference, _state_dict(content)), own)
    if not own.keys() & state.keys():
        raise CheckpointError(
            f"no key is the backbone's: the file has {_few(state)}, the backbone {_few(own)}; it is of another "
            "backbone, or of another library's model of that name"
        )
    widths = {key: shape[0] for key, shape in own.items() if shape and not _is_optional(key)}
    layer = next(key for key in widths if widths[key] == _OUTPUTS).rpartition(".")[0]
    found = _classifier_name(state, own, layer)
    if found is not None:
        _move_classifier(state, own, found, layer)
    elif headless:
        state |= {key: torch.zeros(1, *own[key][1:]) for key in (f"{layer}.weight", f"{layer}.bias")}
    _check_keys(state, own, found or layer, layer)
    outputs = len(state[f"{layer}.weight"])
    wanted = {key: (outputs, *shape[1:]) if _OUTPUTS in shape[:1] else shape for key, shape in own.items()}
    _check_shapes(state, wanted)
    missing = tuple(key for key in own if key not in state and not key.endswith(_BATCHES))
    unexpected = tuple(key for key in state if key not in own and not key.endswith(_COUNTERS))
    return Imported(checked_weights(_filled(state, wanted)), outputs, missing, unexpected)


def _state_dict(content: object) -> dict[str, Tensor]:
    """The state dict itself, out of the dicts around it, without entries that are no tensors."""
    for _ in WRAPPERS:  # so many times at most: a made-up file may hold a dict inside itself
        wrapped = {
            key: value
            for key, value in _items(content)
            if any(isinstance(inner, Tensor) or name in WRAPPERS for name, inner in _items(value))
        }
        content = next((wrapped[key] for key in WRAPPERS if key in wrapped), content)
    state = {key: value for key, value in _items(content) if isinstance(value, Tensor)}
    if not state:
        held = _few(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f"it holds no tensors by name, but {held}: save model.state_dict()")
    for key, value in state.items():
        if value.is_nested:  # it has no shape to be looked at
            raise CheckpointError(f"its {key} is a nested tensor: it is of no such backbone")
    return state


def _items(value: object) -> list[tuple[str, object]]:
    """The tensors and dicts that a dict holds by name; nothing of anything else."""
    items = value.items() if isinstance(value, dict) else ()
    return [(key, inner) for key, inner in items if isinstance(key, str) and isinstance(inner, Tensor | dict)]


def _renamed(state: Mapping[str, Tensor], own: Shapes) -> dict[str, Tensor]:
    """The state dict without the prefixes of whatever stood around the backbone."""
    renamed: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    for key, value in state.items():
        parts = [part for part in key.split(".") if part not in ANYWHERE] or [key]
        while ".".join(parts) not in own and parts[0] in PREFIXES and len(parts) > 1:
            parts.pop(0)
        name = ".".join(parts)
        if name in renamed:
            raise CheckpointError(f"{origins[name]} and {key} are both {name}: keep one network in the file")
        renamed[name], origins[name] = value, key
    return renamed


def _is_optional(key: str) -> bool:
    """Whether the backbone works without this entry of its own."""
    return key.startswith(_AUXILIARY) or key.endswith(_BATCHES)


def _classifier_name(state: Mapping[str, Tensor], own: Shapes, layer: str) -> str | None:
    """The name that the file has for the last layer, `layer`; None if there is no such layer in the file."""
    if f"{layer}.weight" in state:
        return layer
    channels = own[f"{layer}.weight"][1]
    fitting = [
        key.removesuffix(".weight")
        for key, value in state.items()
        if key not in own and key.endswith(".weight") and value.shape[1:] in ((channels,), (channels, 1, 1))
    ]
    usual = [name for name in fitting if name.rpartition(".")[2] in CLASSIFIER_NAMES]
    fitting = usual if len(usual) == 1 else fitting
    if len(fitting) > 1:
        raise CheckpointError(f"its classifier may be any of {_few(fitting)}: call it {layer}")
    return fitting[0] if fitting else None


def _move_classifier(state: dict[str, Tensor], own: Shapes, found: str, layer: str) -> None:
    """Brings the classifier to the backbone's name and shape, (C, K) or (C, K, 1, 1); no bias is a bias of 0."""
    keys = [key for key in (f"{found}.weight", f"{found}.bias") if key in state]
    weight, *bias = checked_weights({key: state.pop(key) for key in keys}).values()
    channels, *kernel = own[f"{layer}.weight"][1:]
    if weight.shape[1:] not in ((channels,), (channels, 1, 1)) or not len(weight):
        raise CheckpointError(
            f"{found}.weight is {tuple(weight.shape)}, the backbone's is (classes, {channels}): it is of another "
            "backbone, or has another head"
        )
    state[f"{layer}.weight"] = weight.reshape(len(weight), channels, *kernel)
    state[f"{layer}.bias"] = bias[0] if bias else weight.new_zeros(len(weight))


def _check_keys(state: Mapping[str, Tensor], own: Shapes, found: str, layer: str) -> None:
    """Refuses what would run, but as another network than the one that was trained."""
    lacking = [key for key in own if key not in state and not _is_optional(key)]
    if lacking == [f"{layer}.weight", f"{layer}.bias"]:
        raise CheckpointError(
            f"it has no classifier (a layer of {own[lacking[0]][1]} inputs): train one first"
        )
    if lacking:
        raise CheckpointError(
            f"{len(lacking)} of {len(own)} weights are missing ({_few(lacking, MOST_KEYS)}): it is of another "
            "backbone, or holds a part of this one only"
        )
    # Layers beside the backbone are left out; layers inside it would have taken part.
    parts = {key.partition(".")[0] for key in own} | {found.partition(".")[0]}
    unexpected = [key for key in state if key not in own and not key.endswith(_COUNTERS)]
    inside = [key for key in unexpected if key.partition(".")[0] in parts and not _is_optional(key)]
    if inside:
        raise CheckpointError(
            f"{len(inside)} of its weights are too many ({_few(inside, MOST_KEYS)}): it is of another backbone, or has "
            "another head"
        )


def _check_shapes(state: dict[str, Tensor], wanted: Shapes) -> None:
    """Refuses weights of another shape or kind; counters and auxiliary classifiers of another one are dropped."""

    def fits(key: str) -> bool:
        is_count = not state[key].is_floating_point()
        return tuple(state[key].shape) == wanted[key] and is_count == key.endswith(_BATCHES)

    differing = [key for key in wanted if key in state and not fits(key)]
    for key in filter(_is_optional, differing):
        del state[key]
    differing = [key for key in differing if key in state]
    if differing:
        key = differing[0]
        more = f", and {len(differing) - 1} more differ" if len(differing) > 1 else ""
        raise CheckpointError(
            f"{key} is {state[key].dtype} {tuple(state[key].shape)}, the backbone's is torch.float32 "
            f"{wanted[key]}{more}: it is of another backbone"
        )


def _filled(state: Mapping[str, Tensor], wanted: Shapes) -> dict[str, Tensor]:
    """The backbone's entries in its order; what may be missing is zeros."""
    filled = {key: state[key] if key in state else torch.zeros(shape) for key, shape in wanted.items()}
    return {key: value.long() if key.endswith(_BATCHES) else value for key, value in filled.items()}


def _few(keys: Iterable[str], most: int = 3) -> str:
    """The first of some keys, for a message."""
    words = list(keys)
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
