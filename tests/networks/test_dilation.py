"""A finer grid holds the coarser one's cells, and new ones between them."""

from __future__ import annotations

import pytest
import torch

from wsloc.errors import UnsupportedError
from wsloc.networks.backbones import build_backbone
from wsloc.networks.dilation import set_output_stride

CASES = [("small_resnet", 4), ("small_resnet", 2), ("resnet18", 16), ("resnet18", 8), ("resnet50", 16)]


@pytest.mark.parametrize(("name", "stride"), CASES)
def test_every_cell_of_the_coarser_grid_keeps_its_value(name: str, stride: int) -> None:
    torch.manual_seed(0)
    network = build_backbone(name, 3).eval()
    for layer in network.modules():  # blocks that do something
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 1.0)
            torch.nn.init.normal_(layer.bias, std=0.3)
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        before = network.features(images)
        step = network.stride // stride
        set_output_stride(network, stride)
        after = network.features(images)
    assert network.stride == stride
    assert after.shape[2:] == (64 // stride, 96 // stride)
    torch.testing.assert_close(after[..., ::step, ::step], before, rtol=1e-4, atol=1e-4)
    between = after[..., 1::step, 1::step]
    assert not torch.allclose(between, before, atol=0.01)


def test_torchvisions_own_dilation_is_the_same_for_bottlenecks() -> None:
    from torchvision.models import resnet50

    torch.manual_seed(0)
    network = build_backbone("resnet50", 3).eval()
    theirs = resnet50(num_classes=3, replace_stride_with_dilation=[False, True, True]).eval()
    theirs.load_state_dict(network.model.state_dict())
    set_output_stride(network, 8)
    ours = {
        name: (layer.stride, layer.dilation, layer.padding)
        for name, layer in network.model.named_modules()
        if isinstance(layer, torch.nn.Conv2d)
    }
    for name, layer in theirs.named_modules():
        if isinstance(layer, torch.nn.Conv2d):
            assert ours[name] == (layer.stride, layer.dilation, layer.padding), name


def test_the_own_stride_changes_nothing() -> None:
    network = build_backbone("small_resnet", 3)
    before = str(network.model)
    set_output_stride(network, 8)
    assert str(network.model) == before


@pytest.mark.parametrize(("name", "stride"), [("small_resnet", 3), ("small_resnet", 1), ("vgg11", 8)])
def test_strides_that_cannot_be_had_are_refused(name: str, stride: int) -> None:
    with pytest.raises(UnsupportedError, match=f"has output strides .*, not {stride}"):
        set_output_stride(build_backbone(name, 3), stride)
