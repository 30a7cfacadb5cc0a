from __future__ import annotations

import importlib

import pytest
import torch

from wsloc.networks.backbones import build_backbone
from wsloc.networks.families import FAMILIES, SMALL_RESNET, TRANSFORMERS


@pytest.mark.parametrize("module", [*FAMILIES, *TRANSFORMERS])
def test_families_are_keyed_by_the_torchvision_module_that_defines_them(module: str) -> None:
    importlib.import_module(f"torchvision.models.{module}")


def test_no_family_is_both_supported_and_not() -> None:
    assert not set(FAMILIES) & set(TRANSFORMERS)


def test_names_differ_and_strides_are_powers_of_two() -> None:
    families = [*FAMILIES.values(), SMALL_RESNET]
    assert len({family.name for family in families}) == len(families)
    assert {family.stride for family in families} <= {8, 16, 32}


def test_heads_that_are_more_than_pooling_and_one_layer_have_no_linear() -> None:
    """VGG's and AlexNet's three layers, ConvNeXt's norm, MobileNet v3's two layers, SqueezeNet's late ReLU."""
    without = {name for name, family in FAMILIES.items() if family.linear is None}
    assert without == {"vgg", "alexnet", "convnext", "mobilenetv3", "squeezenet"}


STAGED = {
    "small_resnet": 96,
    "vgg16_gap": 32,
    "vgg16_dilated": 32,
    "resnet18": 64,
    "inception_v3": 96,
    "googlenet": 64,
    "regnet_y_400mf": 64,
    "shufflenet_v2_x0_5": 64,
}


@pytest.mark.parametrize(("name", "side"), STAGED.items())
def test_the_last_stages_are_the_rest_of_the_trunk(name: str, side: int) -> None:
    """What lies below and above them is the feature map; their parts, and no others, hold what is above."""
    torch.manual_seed(0)
    network = build_backbone(name, 3).eval()
    stages, model = network.family.last_stages, network.model
    assert stages is not None
    images = torch.randn(1, 3, side, side)
    below = stages.below(model, images)
    feature_map = stages.above(model, below)
    with torch.no_grad():
        torch.testing.assert_close(feature_map, network.features(images))
    prefixes = tuple(f"{part}." for part in stages.parts)
    named = dict(model.named_parameters())
    inside = {key: value for key, value in named.items() if key.startswith(prefixes)}
    gradients = torch.autograd.grad(
        feature_map.sum(), list(inside.values()), allow_unused=True, retain_graph=True
    )
    assert all(gradient is not None for gradient in gradients)
    unused = torch.autograd.grad(below.sum(), list(inside.values()), allow_unused=True)
    assert all(gradient is None for gradient in unused)
    assert below.shape[2] > feature_map.shape[2] or name == "vgg16_dilated"
    assert below.shape[2] * 4 >= feature_map.shape[2]


def test_families_without_named_stages_have_none() -> None:
    without = {name for name, family in FAMILIES.items() if family.linear and not family.last_stages}
    assert without == {"densenet", "mobilenetv2", "efficientnet", "mnasnet"}
    with_stages = [family for family in (*FAMILIES.values(), SMALL_RESNET) if family.last_stages]
    assert all(family.linear for family in with_stages)
