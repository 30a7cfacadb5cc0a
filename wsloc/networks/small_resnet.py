"""A small residual network for images of 64 to 128 pixels: what a CPU can train in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., "Deep Residual Learning", 2016, fig. 2).

    Args:
        channels_in: channels of the input.
        channels: channels of the output.
        stride: stride of the first convolution; the shortcut gets a 1x1 convolution where shapes change.
    """

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, channels, h / stride, w / stride) of features (N, channels_in, h, w)."""
        shortcut = x if self.downsample is None else self.downsample(x)  # (N, channels, h/s, w/s)
        residual = F.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))  # (N, channels, h/s, w/s)
        return F.relu(residual + shortcut)


class SmallResNet(nn.Module):
    """Stem, three stages of basic blocks, global average pooling, one linear layer; stride 8 overall.

    Its modules are named as torchvision's ResNet names them. About 1.24 million parameters for 100 classes.

    Args:
        classes: C, the number of classes.
        widths: channels of the three stages; the first is the stem's too.
        blocks: residual blocks a stage.
    """

    def __init__(self, classes: int, widths: Sequence[int] = (48, 96, 160), blocks: int = 2) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = _stage(first, first, blocks, stride=1)
        self.layer2 = _stage(first, second, blocks, stride=2)
        self.layer3 = _stage(second, third, blocks, stride=2)
        self.fc = nn.Linear(third, classes)
        self._initialise()

    def features(self, images: Tensor) -> Tensor:
        """Feature map (N, widths[-1], H/8, W/8), rounded up, of normalised images (N, 3, H, W)."""
        x = self.layer2(self.first_stage(images))  # (N, 96, H/4, W/4)
        return cast("Tensor", self.layer3(x))  # (N, 160, H/8, W/8)

    def first_stage(self, images: Tensor) -> Tensor:
        """Stem and first stage: (N, widths[0], H/2, W/2), rounded up, of normalised images (N, 3, H, W)."""
        x = F.relu(self.bn1(self.conv1(images)))
        return cast("Tensor", self.layer1(x))

    def head(self, feature_map: Tensor) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w): global average pooling and the linear layer."""
        return cast("Tensor", self.fc(feature_map.mean(dim=(2, 3))))  # (N, K) -> (N, C)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of normalised images (N, 3, H, W)."""
        return self.head(self.features(images))

    def _initialise(self) -> None:
        """Kaiming's normal initialisation; every block starts as the identity (last scale zero)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)


def _stage(channels_in: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    """Residual blocks in a row, the first of which changes the width and the stride."""
    first = BasicBlock(channels_in, channels, stride)
    return nn.Sequential(first, *(BasicBlock(channels, channels) for _ in range(blocks - 1)))
