"""The small residual network: its shapes, its names, its start, and torchvision's blocks as a reference."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models.resnet import BasicBlock as ReferenceBlock

from wsloc.networks.small_resnet import BasicBlock, SmallResNet


def test_size_and_stride() -> None:
    model = SmallResNet(100).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_243_092
    with torch.no_grad():
        for side, cells in ((64, 8), (72, 9), (128, 16)):
            assert model.features(torch.rand(1, 3, side, 64)).shape == (1, 160, cells, 8)
        assert model(torch.rand(2, 3, 64, 64)).shape == (2, 100)


def test_widths_and_blocks() -> None:
    model = SmallResNet(5, widths=(8, 12, 20), blocks=3)
    assert [len(getattr(model, f"layer{i}")) for i in (1, 2, 3)] == [3, 3, 3]
    assert model.conv1.weight.shape == (8, 3, 3, 3)
    assert model.fc.weight.shape == (5, 20)
    assert model(torch.rand(2, 3, 16, 16)).shape == (2, 5)


def test_modules_are_named_as_torchvision_names_them() -> None:
    assert [name for name, _ in SmallResNet(3).named_children()] == [
        *("conv1", "bn1", "layer1", "layer2", "layer3", "fc"),
    ]


@pytest.mark.parametrize(("channels_in", "channels", "stride"), [(6, 6, 1), (6, 9, 2), (6, 9, 1)])
def test_block_is_torchvisions(channels_in: int, channels: int, stride: int) -> None:
    block = BasicBlock(channels_in, channels, stride)
    shortcut = None
    if block.downsample is not None:
        convolution = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
        shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))
    reference = ReferenceBlock(channels_in, channels, stride, shortcut)
    nn.init.uniform_(block.bn2.weight, 0.5, 1.5)  # awake, or the shortcut alone would be compared
    reference.load_state_dict(block.state_dict())
    x = torch.randn(4, channels_in, 7, 7)  # (N, K, h, w)
    kept = x.clone()
    torch.testing.assert_close(block(x), reference(x))
    assert torch.equal(x, kept)
    assert (block.downsample is None) == (stride == 1 and channels_in == channels)


def test_blocks_start_as_the_identity() -> None:
    model = SmallResNet(3)
    x = torch.rand(2, 48, 8, 8)  # (N, K, h, w), not negative: the block's ReLU leaves it alone
    assert torch.equal(model.layer1(x), x)
    assert torch.equal(model.get_parameter("layer1.0.bn1.weight"), torch.ones(48))


def test_convolutions_start_as_kaiming_has_them() -> None:
    torch.manual_seed(0)
    weight = SmallResNet(3).get_parameter("layer3.1.conv2.weight")  # (160, 160, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (160 * 9)) ** 0.5, rel=0.01)
    assert weight.mean().abs().item() < 1e-3


def test_every_parameter_but_the_sleeping_ones_learns_at_once() -> None:
    torch.manual_seed(0)
    model = SmallResNet(3)
    model(torch.rand(4, 3, 32, 32)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        # Behind a scale of zero nothing moves until that scale has.
        sleeping = name.startswith("layer") and any(part in name for part in (".conv", ".bn1"))
        assert bool(parameter.grad.any()) != sleeping, name
