from __future__ import annotations

import importlib

import pytest

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
