"""Backbones by name: torchvision's classifiers and `small_resnet`, cut at their last feature map."""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from difflib import get_close_matches
from http.client import HTTPException
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, cast

from torchvision import models

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.inputs.imagenet import imagenet_classes as imagenet_classes  # noqa: PLC0414 - public here
from wsloc.networks.families import FAMILIES, SMALL_RESNET, TRANSFORMERS, VGG_DILATED, VGG_GAP
from wsloc.networks.network import Family, Network
from wsloc.networks.small_resnet import SmallResNet
from wsloc.networks.vgg_variants import VggDilated, VggGap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    Colour = tuple[float, float, float]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Models of wsloc's own: name -> (builder from the number of classes, family, default input side in pixels).
OWN_BACKBONES: dict[str, tuple[Callable[[int], nn.Module], Family, int]] = {
    "small_resnet": (SmallResNet, SMALL_RESNET, 64),
    "vgg16_gap": (VggGap, VGG_GAP, 224),
    "vgg16_dilated": (VggDilated, VGG_DILATED, 321),
}

# torchvision sets `transform_input` with its own weights and else not, and weight files do not record it.
# It is always on here, so that one file means one network however it came; it only scales the input.
_SCALED: dict[str, Any] = {"aux_logits": True, "transform_input": True}
_OPTIONS: dict[str, dict[str, Any]] = {"inception": _SCALED, "googlenet": _SCALED}

# Families that initialise their weights on demand: idle where pretrained ones follow.
_INITIALISING = ("vgg", "inception", "googlenet")

# What fetching and reading weights is known to raise: offline, refused, disk full, cut short.
_FETCH_ERRORS = (OSError, HTTPException, RuntimeError, ValueError, EOFError, UnpicklingError)

_OLD_DENSENET_KEY = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def available_backbones() -> tuple[str, ...]:
    """Names that `build_backbone` takes, sorted."""
    theirs = (name for name in models.list_models(module=models) if _module(name) in FAMILIES)
    return tuple(sorted((*OWN_BACKBONES, *theirs)))


def build_backbone(name: str, classes: int = 1000, weights: str | Path | None = None) -> Network:
    """A network by name, in training mode, on the CPU.

    Args:
        name: one of `available_backbones()`.
        classes: C, the number of outputs.
        weights: None for random weights, or "DEFAULT" for torchvision's own, which it downloads once. Layers
            whose shape depends on the classes stay random if `classes` is not the weights' own 1000.

    Raises:
        UnsupportedError: if the name is unknown, or of a family that is not supported; names what is.
        CheckpointError: if the weights cannot be fetched, or `weights` is something else (files are read by
            `wsloc.networks.checkpoints`).
    """
    family = backbone_family(name)
    if weights not in (None, "DEFAULT"):
        raise CheckpointError(
            f"{name}: weights {weights} are neither DEFAULT nor none: read a file as a checkpoint"
        )
    state = None if weights is None else _fetch_default(name)
    model = _build_model(name, classes, initialise=state is None)
    if state is not None:
        _load_fitting(model, state)
    return Network(name, model, family)


def backbone_family(name: str) -> Family:
    """How the named backbone is cut; nothing is built.

    Raises:
        UnsupportedError: if the name is unknown, or of a family that is not supported; names what is.
    """
    if name in OWN_BACKBONES:
        return OWN_BACKBONES[name][1]
    known = models.list_models(module=models)
    if name not in known:
        close = get_close_matches(name.lower(), [*OWN_BACKBONES, *known], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are {_supported()}"
        raise UnsupportedError(f"unknown backbone {name!r}: {hint}")
    module = _module(name)
    if module in FAMILIES:
        return FAMILIES[module]
    if module in TRANSFORMERS:
        raise UnsupportedError(
            f"{name} ({TRANSFORMERS[module]}): transformers are not supported yet: take one of {_supported()}"
        )
    raise UnsupportedError(f"{name}: its family is not supported yet: take one of {_supported()}")


def default_input(name: str) -> tuple[int, Colour, Colour]:
    """What a backbone's default weights were trained on: side in pixels, mean and std of its RGB in 0-1.

    Models without weights have ImageNet's mean and standard deviation, and 224 pixels; `small_resnet` 64.

    Raises:
        UnsupportedError: as `backbone_family`.
    """
    backbone_family(name)
    weights = _default_weights(name)
    if weights is None:
        size = OWN_BACKBONES[name][2] if name in OWN_BACKBONES else 224
        return size, IMAGENET_MEAN, IMAGENET_STD
    transforms = weights.transforms()
    return int(transforms.crop_size[0]), tuple(transforms.mean), tuple(transforms.std)


def prepare_state(model: nn.Module, state: Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """Weights as `model.load_state_dict` takes them, from a file of torchvision's or without its extras.

    Two families need it: DenseNet's files have older keys (`norm.1` is `norm1` in the models), and MNASNet
    refuses weights without the version that PyTorch keeps beside the entries of a state dict, which plain
    dicts and safetensors files lack. Keys and shapes are not compared.
    """
    prepared = OrderedDict((_OLD_DENSENET_KEY.sub(r"\1\2", key), value) for key, value in state.items())
    versions = getattr(state, "_metadata", None) or vars(model.state_dict())["_metadata"]
    vars(prepared)["_metadata"] = versions
    return prepared


def _module(name: str) -> str:
    """The torchvision module that defines a model: `resnet` for `wide_resnet50_2`."""
    return str(models.get_model_builder(name).__module__).rpartition(".")[2]


def _supported() -> str:
    """The supported families in words."""
    own = (family for _, family, _ in OWN_BACKBONES.values())
    return ", ".join(family.name for family in (*FAMILIES.values(), *own))


def _build_model(name: str, classes: int, *, initialise: bool) -> nn.Module:
    """The model itself, with random weights; quick rather than careful ones where others follow."""
    if name in OWN_BACKBONES:
        return OWN_BACKBONES[name][0](classes)
    options = {"num_classes": classes, **_OPTIONS.get(_module(name), {})}
    if _module(name) in _INITIALISING:
        options["init_weights"] = initialise
    return cast("nn.Module", models.get_model(name, weights=None, **options))


def _default_weights(name: str) -> Any | None:
    """What torchvision knows of a model's default weights, or None where there are none."""
    return None if name in OWN_BACKBONES else getattr(models.get_model_weights(name), "DEFAULT", None)


def _fetch_default(name: str) -> Mapping[str, Tensor]:
    """The default weights of a model, from torchvision's cache or downloaded into it."""
    weights = _default_weights(name)
    if weights is None:
        raise CheckpointError(f"{name}: it has no DEFAULT weights: give --weights FILE or --weights none")
    try:
        state = weights.get_state_dict(progress=sys.stderr.isatty(), check_hash=True, weights_only=True)
    except _FETCH_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"{name}: its weights could not be fetched ({reason}): download {weights.url} elsewhere and give "
            "--weights FILE, or take random weights with --weights none"
        ) from error
    return cast("Mapping[str, Tensor]", state)


def _load_fitting(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Loads weights; layers of another shape, those that depend on the classes, keep what they have."""
    prepared = prepare_state(model, state)
    for key, own in model.state_dict().items():
        if key in prepared and prepared[key].shape != own.shape:
            prepared[key] = own
    model.load_state_dict(prepared)
