"""`wsloc.load`: a localizer from a checkpoint, a torchvision model's name, or a module of the user's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.localizer import Localizer
from wsloc.methods import METHODS
from wsloc.networks.backbones import build_backbone, default_input, imagenet_classes, prepare_state
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.networks.devices import resolve_device
from wsloc.networks.hooked import HookedNetwork
from wsloc.networks.importing import import_state_dict
from wsloc.networks.tasks import SINGLE_LABEL, TASKS
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.networks.network import Network

CHECKPOINT_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors"})
DEMO = "demo"


def load(
    source: str | Path | nn.Module,
    *,
    device: str | torch.device = "auto",
    precision: str = "auto",
    weights: str | Path | None = "DEFAULT",
    classes: Sequence[str] | Classes | None = None,
    target_layer: nn.Module | str | None = None,
    preprocessing: Preprocessing | None = None,
    image_size: int | None = None,
    resize: str | None = None,
    task: str | None = None,
    random_seed: int = 0,
) -> Localizer:
    """A localizer, ready to use, from whatever holds a trained classifier.

    Args:
        source: a wsloc checkpoint (`demo` is the one that comes with the package), the name of a torchvision
            classifier, or a torch module: images (N, 3, H, W) -> logits (N, C).
        device: `auto` (CUDA, else Apple's MPS, else the CPU), or a torch device.
        precision: `float32`, `bfloat16`, or `auto`, which is float32: boxes are the same on every device.
        weights: for a model name: `DEFAULT` (torchvision's, downloaded once), a state dict's file, or None
            (random, from `random_seed`: for timing and tests).
        classes: names of the outputs, where the source does not hold them.
        target_layer: the layer whose output is explained, for a module (required) or in place of the last
            feature map; a submodule or its dotted name. Grad-CAM is then the only map.
        preprocessing: in place of the source's own; a module has none.
        image_size: input side in pixels, in place of the source's own.
        resize: `squash` or `keep`, in place of the source's own.
        task: `single-label` or `multi-label`, where the source does not hold it.
        random_seed: of random weights.

    Raises:
        CheckpointError: if a weights file cannot be read, or weights cannot be fetched.
        UnsupportedError: if the model, device or an option is not known.
    """
    place = resolve_device(device)
    if isinstance(source, nn.Module):
        found = _from_module(source, target_layer, preprocessing, classes)
    elif _is_checkpoint(source):
        found = _from_checkpoint(checkpoint_path(source))
    else:
        found = _from_model(str(source), weights, random_seed)
    network, its_classes, its_preprocessing, its_task, method = found
    if target_layer is not None and not isinstance(source, nn.Module):
        network = HookedNetwork(network, target_layer)
    if precision not in {"auto", "float32", "bfloat16"}:
        raise UnsupportedError(f"unknown precision {precision!r}: choose auto, float32 or bfloat16")
    if task is not None and task not in TASKS:
        raise UnsupportedError(f"unknown task {task!r}: choose {' or '.join(TASKS)}")
    if not isinstance(source, nn.Module):
        # Channels last is the faster layout for convolutions on CPUs and GPUs; a user's own module stays as it is.
        network = network.to(device=place, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]  # torch's stub misses the keyword pair
    return Localizer(
        network=network,
        classes=_named(classes, its_classes),
        preprocessing=_adapted(preprocessing or its_preprocessing, image_size, resize),
        task=task or its_task,
        source=method,
        device=place,
        bfloat16=precision == "bfloat16",
    )


def checkpoint_path(source: str | Path) -> Path:
    """The file of a checkpoint; `demo` is the one that comes with the package.

    Raises:
        CheckpointError: if the demo checkpoint is not there.
    """
    if str(source) != DEMO or Path(DEMO).is_file():
        return Path(source)
    package = Path(__file__).parent
    for folder in (package / "assets", package.parent / "assets"):
        if (folder / "demo-ep.pt").is_file():
            return folder / "demo-ep.pt"
    raise CheckpointError("the demo checkpoint is not in this installation: install wsloc from its wheel")


def _is_checkpoint(source: str | Path) -> bool:
    path = Path(source)
    return (
        isinstance(source, Path)
        or str(source) == DEMO
        or path.is_file()
        or path.suffix in CHECKPOINT_SUFFIXES
    )


_Found = tuple["Network", Classes, Preprocessing, str, str]


def _from_checkpoint(path: Path) -> _Found:
    checkpoint = load_checkpoint(path)
    if checkpoint.method not in METHODS:
        raise CheckpointError(
            f"{path} is of the method {checkpoint.method!r}, which this wsloc does not know "
            f"({', '.join(METHODS)}): use a newer one"
        )
    method = METHODS[checkpoint.method]
    network = method.build(checkpoint.backbone, len(checkpoint.classes), checkpoint.options)
    try:
        network.model.load_state_dict(prepare_state(network.model, checkpoint.weights))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} is damaged: its weights do not fit its backbone {checkpoint.backbone}"
        ) from error
    return network, checkpoint.classes, checkpoint.preprocessing, checkpoint.task, checkpoint.method


def _from_model(name: str, weights: str | Path | None, random_seed: int) -> _Found:
    size, mean, std = default_input(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed)
        if weights is None or str(weights) in {"none", "DEFAULT"}:
            network = build_backbone(name, weights="DEFAULT" if str(weights) == "DEFAULT" else None)
            outputs = 1000
        else:
            imported = import_state_dict(Path(weights), name)
            network, outputs = build_backbone(name, classes=imported.classes), imported.classes
            network.model.load_state_dict(prepare_state(network.model, imported.weights), strict=False)
    classes = imagenet_classes() if outputs == 1000 else _numbered(outputs)
    return network, classes, Preprocessing(image_size=size, mean=mean, std=std), SINGLE_LABEL, "model"


def _from_module(
    module: nn.Module,
    target_layer: nn.Module | str | None,
    preprocessing: Preprocessing | None,
    classes: Sequence[str] | Classes | None,
) -> _Found:
    if target_layer is None or preprocessing is None:
        raise UnsupportedError(
            "a module of your own needs target_layer= (the layer to explain) and preprocessing= "
            "(wsloc.Preprocessing(image_size=..., mean=..., std=...))"
        )
    network = HookedNetwork(module, target_layer)
    count = 0 if classes is None else len(classes)
    return network, _numbered(count or _outputs(network, preprocessing)), preprocessing, SINGLE_LABEL, "model"


def _outputs(network: Network, preprocessing: Preprocessing) -> int:
    """How many logits a module gives, by asking it once with a blank picture."""
    parameter: Any = next(network.parameters(), torch.zeros(()))
    blank = torch.zeros(1, 3, preprocessing.image_size, preprocessing.image_size, device=parameter.device)
    return network.observe(blank, differentiable=False).logits.shape[1]


def _numbered(count: int) -> Classes:
    names = tuple(str(index) for index in range(count))
    return Classes(names, names)


def _named(given: Sequence[str] | Classes | None, own: Classes) -> Classes:
    """The classes that the user names, if they are as many as the network's outputs."""
    if given is None:
        return own
    named = given if isinstance(given, Classes) else Classes(tuple(given), tuple(given))
    if len(named) != len(own) or len(set(named.ids)) != len(named):
        raise UnsupportedError(
            f"{len(named)} class names ({len(set(named.ids))} different) for a network with {len(own)} outputs"
        )
    return named


def _adapted(preprocessing: Preprocessing, image_size: int | None, resize: str | None) -> Preprocessing:
    try:
        if image_size is not None:
            preprocessing = replace(preprocessing, image_size=image_size)
        return preprocessing if resize is None else replace(preprocessing, resize=resize)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
