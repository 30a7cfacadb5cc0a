"""`wsloc.load`: a localizer from a checkpoint, a torchvision model's name, or a module of the user's own."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.inputs.other_images import OtherImages
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.localizer import Localizer
from wsloc.methods import METHODS
from wsloc.methods.ficklenet import set_drawing
from wsloc.methods.rib import FineTuning
from wsloc.networks.backbones import available_backbones, build_backbone, default_input, prepare_state
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.networks.devices import resolve_device
from wsloc.networks.dilation import set_output_stride
from wsloc.networks.hooked import HookedNetwork
from wsloc.networks.importing import import_state_dict, imported_classes
from wsloc.networks.network import evaluating
from wsloc.networks.precision import PRECISIONS, checked_precision
from wsloc.networks.tasks import SINGLE_LABEL, TASKS
from wsloc.records import Classes
from wsloc.views import Views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.networks.network import Network

CHECKPOINT_SUFFIXES = frozenset({".pt", ".pth", ".ckpt", ".bin", ".tar", ".safetensors"})
DEMO = "demo"
AnyNetwork = TypeVar("AnyNetwork", bound="Network")


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
    output_stride: int | None = None,
    scales: Sequence[float] | None = None,
    flip: bool | None = None,
    draws: int | None = None,
    drop_rate: float | None = None,
    infer_mode: str | None = None,
    rib: FineTuning | None = None,
    rib_images: str | Path | None = None,
    random_seed: int = 0,
) -> Localizer:
    """A localizer, ready to use, from whatever holds a trained classifier.

    Args:
        source: a wsloc checkpoint (`demo` is the one that comes with the package), the name of a torchvision
            classifier, or a torch module: images (N, 3, H, W) -> logits (N, C). A module stays as it is: on its
            device, in its mode; it is asked in evaluation mode.
        device: a torch device, or `auto`: CUDA, else Apple's MPS, else the CPU; a module's own.
        precision: `float32`, `bfloat16`, `float16`, or `auto`, which is float32: boxes are the same on every device.
        weights: for a model name: `DEFAULT` (torchvision's, downloaded once), a state dict's file, or None
            (random, from `random_seed`: for timing and tests).
        classes: names of the outputs, in place of the source's own; without any, 1000 outputs are taken for
            ImageNet's, and others are numbered.
        target_layer: the layer whose output is explained, for a module (required) or in place of the last
            feature map; a submodule or its dotted name. Grad-CAM is then the only map.
        preprocessing: in place of the source's own; a module has none.
        image_size: input side in pixels, in place of the source's own.
        resize: `squash` or `keep`, in place of the source's own.
        task: `single-label` or `multi-label`, where the source does not hold it.
        output_stride: input pixels a cell of the grid: a finer one from the same weights, for ResNets, `small_resnet`.
        scales: of the input's sides; maps are averaged over them, classes are the first one's. None: 1, or RIB's own.
        flip: whether maps are averaged over mirror images, too. None: no, or RIB's own.
        draws: random selections that FickleNet's maps are aggregated of, in place of the checkpoint's own number.
        drop_rate: of these selections, 0-1; classes and probabilities keep the one of the training.
        infer_mode: `stochastic`, `general` or `deterministic`, in place of the checkpoint's own.
        rib: how the network is fine-tuned for the map `rib`.
        rib_images: a labelled data set (a folder a class, a CSV, annotations): images of it join each fine-tuning.
        random_seed: of random weights, and of random selections.

    Raises:
        CheckpointError: if a weights file cannot be read, or weights cannot be fetched.
        DataError: if the data set of other images cannot be read, or is of other classes.
        UnsupportedError: if the model, device or an option is not known, or they do not go together.
    """
    _check(source, precision, task)
    views = _views(scales, flip=flip, rib=rib or FineTuning())
    if isinstance(source, nn.Module):
        localizer = _from_module(source, target_layer, preprocessing, device)
    else:
        localizer = _from_name(source, weights, random_seed, resolve_device(device))
    network = localizer.network
    if output_stride is not None:
        set_output_stride(network, output_stride)
    used = adapted_preprocessing(preprocessing or localizer.preprocessing, image_size, resize, network)
    set_drawing(network, random_seed, count=draws, drop_rate=drop_rate, mode=infer_mode)
    if not isinstance(source, nn.Module) and (target_layer is not None or network.attended_layer):
        network = _hooked(network, target_layer or network.attended_layer)
    named = _named(classes, localizer.classes)
    if rib_images is not None:
        views = views.joined_by(OtherImages(Path(rib_images), named, used, random_seed))
    return replace(
        localizer,
        network=network,
        classes=named,
        preprocessing=used,
        task=task or localizer.task,
        autocast=checked_precision(localizer.device, PRECISIONS.get(precision)),
        views=views,
    )


def _views(scales: Sequence[float] | None, *, flip: bool | None, rib: FineTuning) -> Views:
    """How inputs are looked at: for RIB as it says itself, unless the user says otherwise."""
    if scales is not None:
        rib = replace(rib, scales=tuple(scales))
    if flip is not None:
        rib = replace(rib, flip=flip)
    Views(rib.scales)  # the check
    return Views((1.0,) if scales is None else tuple(scales), bool(flip), rib)


def _check(source: object, precision: str, task: str | None) -> None:
    """Refuse what no source could be loaded with."""
    if precision not in {"auto", *PRECISIONS}:
        raise UnsupportedError(f"unknown precision {precision!r}: choose auto, {', '.join(PRECISIONS)}")
    if task is not None and task not in TASKS:
        raise UnsupportedError(f"unknown task {task!r}: choose {' or '.join(TASKS)}")
    if not isinstance(source, str | Path | nn.Module):
        raise UnsupportedError(
            f"expected a checkpoint's path, a model's name or a torch module, not {type(source).__name__}"
        )


def _from_name(
    source: str | Path, weights: str | Path | None, random_seed: int, place: torch.device
) -> Localizer:
    """Of a checkpoint's path or a model's name."""
    if names_checkpoint(source):
        return _from_checkpoint(checkpoint_path(source), place)
    return _from_model(str(source), weights, random_seed, place)


def names_checkpoint(source: str | Path) -> bool:
    """Whether a source is the file of a checkpoint, rather than a model's name."""
    if isinstance(source, Path) or source == DEMO:
        return True
    path = Path(source)
    return source not in available_backbones() and (path.suffix in CHECKPOINT_SUFFIXES or path.is_file())


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


def _from_checkpoint(path: Path, place: torch.device) -> Localizer:
    checkpoint = load_checkpoint(path)
    if checkpoint.method not in METHODS:
        raise CheckpointError(
            f"{path} is of the method {checkpoint.method!r}, which this wsloc does not know "
            f"({', '.join(METHODS)}): use a newer one"
        )
    method = METHODS[checkpoint.method]
    try:
        network = method.build(checkpoint.backbone, len(checkpoint.classes), checkpoint.options)
    except UnsupportedError as error:
        raise UnsupportedError(f"{path}: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{path} is damaged: its options are none of the method {checkpoint.method} ({error})"
        ) from error
    try:
        network.model.load_state_dict(prepare_state(network.model, checkpoint.weights))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} is damaged: its weights do not fit its backbone {checkpoint.backbone}"
        ) from error
    return Localizer(
        _placed(network, place),
        checkpoint.classes,
        checkpoint.preprocessing,
        checkpoint.task,
        source=checkpoint.method,
        device=place,
    )


def _from_model(name: str, weights: str | Path | None, random_seed: int, place: torch.device) -> Localizer:
    size, mean, std = default_input(name)
    outputs = 1000
    if weights is None or str(weights) == "none":
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed: that would reach the GPUs' generators too.
            torch.default_generator.manual_seed(random_seed)
            network = build_backbone(name)
    elif str(weights) == "DEFAULT":
        network = build_backbone(name, weights="DEFAULT")
    else:
        imported = import_state_dict(Path(weights), name)
        outputs = imported.classes
        with torch.random.fork_rng(devices=[]):
            network = build_backbone(name, classes=outputs)
        network.model.load_state_dict(prepare_state(network.model, imported.weights))
    preprocessing = Preprocessing(image_size=size, mean=mean, std=std)
    classes = imported_classes(None, outputs)
    return Localizer(
        _placed(network, place), classes, preprocessing, SINGLE_LABEL, source="model", device=place
    )


def _from_module(
    module: nn.Module,
    target_layer: nn.Module | str | None,
    preprocessing: Preprocessing | None,
    device: str | torch.device,
) -> Localizer:
    if target_layer is None or preprocessing is None:
        raise UnsupportedError(
            "a module of your own needs target_layer= (the layer to explain) and preprocessing= "
            "(wsloc.Preprocessing(image_size=..., mean=..., std=...))"
        )
    weights = list(chain(module.parameters(), module.buffers()))
    if any(weight.is_inference() for weight in weights):
        raise UnsupportedError(
            "the module was made or loaded under torch.inference_mode, and cannot be differentiated: make it outside"
        )
    place = weights[0].device if weights else torch.device("cpu")
    wanted = place if device == "auto" else resolve_device(device)
    if wanted.type != place.type or wanted.index not in (None, place.index):
        raise UnsupportedError(f"the module is on {place}: move it to {wanted} first, or leave device= out")
    network = HookedNetwork(module, target_layer)
    blank = torch.zeros(1, 3, preprocessing.image_size, preprocessing.image_size, device=place)
    with evaluating(network):
        outputs = network.observe(blank, differentiable=False).logits.shape[1]
    classes = imported_classes(None, outputs)
    return Localizer(network, classes, preprocessing, SINGLE_LABEL, source="model", device=place)


def _placed(network: AnyNetwork, place: torch.device) -> AnyNetwork:
    """The network on its device, in evaluation mode, laid out channels last: faster on CPUs and GPUs alike."""
    moved: AnyNetwork = network.to(device=place, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub misses this pair of keywords
    return moved.eval()


def _hooked(network: Network, target_layer: nn.Module | str) -> HookedNetwork:
    """A checkpoint or model explained at another of its layers; the model's own names of them are known."""
    if isinstance(target_layer, str):
        target_layer = dict(network.model.named_modules()).get(target_layer, target_layer)
    return HookedNetwork(network, target_layer).eval()


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


def adapted_preprocessing(
    preprocessing: Preprocessing, image_size: int | None, resize: str | None, network: Network
) -> Preprocessing:
    """A preprocessing with the user's changes.

    Args:
        preprocessing: the network's own.
        image_size: another input side in pixels, or None.
        resize: another way of resizing, or None.
        network: what the inputs are for.

    Raises:
        UnsupportedError: if a change is not possible, or inputs would be too small for the network.
    """
    if image_size is not None:
        preprocessing = replace(preprocessing, image_size=image_size)
    if resize is not None:
        preprocessing = replace(preprocessing, resize=resize)
    smallest = 1 if isinstance(network, HookedNetwork) else network.family.smallest_input
    if preprocessing.image_size < smallest:
        raise UnsupportedError(
            f"{network.name} takes inputs of at least {smallest} pixels a side, not {preprocessing.image_size}: "
            "give a larger --image-size"
        )
    return preprocessing
