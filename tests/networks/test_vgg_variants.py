"""VGG-16 without fully connected layers: torchvision's trunk, other strides, the papers' grids."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from wsloc.networks.backbones import build_backbone
from wsloc.networks.vgg_variants import VggDilated, VggGap, poolings


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = vgg16(weights=None)
    return model.eval()


@pytest.mark.parametrize("variant", [VggGap, VggDilated])
def test_torchvisions_weights_fit(variant: type[nn.Module], reference: nn.Module) -> None:
    found = {
        key: value.shape for key, value in variant(3).state_dict().items() if key.startswith("features.")
    }
    theirs = {
        key: value.shape for key, value in reference.state_dict().items() if key.startswith("features.")
    }
    assert found == theirs


def test_vgg_gap_is_vgg_up_to_conv5_and_one_convolution(reference: nn.Module) -> None:
    model = VggGap(3).eval()
    features = {key: value for key, value in reference.state_dict().items() if key.startswith("features.")}
    model.load_state_dict(features, strict=False)
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = model.conv6(reference.get_submodule("features")[:-1](images)).relu()  # type: ignore[index]
        assert torch.equal(model.trunk(images), expected)
        assert expected.shape == (1, 1024, 4, 6)
        torch.testing.assert_close(model(images), model.fc(expected.mean(dim=(2, 3))))


@pytest.mark.parametrize(("side", "cells"), [(321, 41), (64, 8), (65, 9), (224, 28)])
def test_the_dilated_network_has_the_papers_grid(side: int, cells: int) -> None:
    """FickleNet: 321 pixels give 41 x 41 cells; poolings round up."""
    model = VggDilated(3).eval()
    with torch.no_grad(), torch.device("meta"):
        meta = VggDilated(3)
        assert meta.features(torch.zeros(1, 3, side, side)).shape[2:] == (cells, cells)
    assert sum(layer.dilation == (2, 2) for layer in model.features if isinstance(layer, nn.Conv2d)) == 3
    assert [layer.stride for layer in poolings(model.features)] == [2, 2, 2, 1, 1]


def test_dropout_is_the_head_alone() -> None:
    torch.manual_seed(0)
    network = build_backbone("vgg16_dilated", 3).train()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        feature_map = network.features(images)
        assert torch.equal(feature_map, network.features(images))
        assert not torch.equal(network.head(feature_map), network.head(feature_map))
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network(images), network.model(images))
