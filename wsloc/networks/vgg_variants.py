"""VGG-16 without fully connected layers: VGG-GAP, and the dilated network that segmentation seeds come from."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg16

CHANNELS = 512  # of VGG-16's last convolutions
POOLINGS = 5


class VggGap(nn.Module):
    """VGG-GAP: VGG-16 up to conv5_3, a convolution of 1,024 channels, global average pooling, one linear layer.

    Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016, section 3. `features` are
    named as torchvision's VGG-16 names them. Stride 16.

    Args:
        classes: C, the number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = vgg16(weights=None).features[:-1]  # without the fifth pooling
        self.conv6 = nn.Conv2d(CHANNELS, 1024, 3, padding=1)
        self.fc = nn.Linear(1024, classes)
        nn.init.kaiming_normal_(self.conv6.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(cast("Tensor", self.conv6.bias))

    def trunk(self, images: Tensor) -> Tensor:
        """Feature map (N, 1024, H/16, W/16) of normalised images (N, 3, H, W)."""
        return self.rectified_conv6(self.features(images))

    def rectified_conv6(self, x: Tensor) -> Tensor:
        """The sixth convolution and its ReLU: (N, 1024, H/16, W/16) of conv5's features (N, 512, H/16, W/16)."""
        return F.relu(self.conv6(x))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of normalised images (N, 3, H, W)."""
        return cast("Tensor", self.fc(self.trunk(images).mean(dim=(2, 3))))


class VggDilated(nn.Module):
    """VGG-16 at stride 8: pools 4 and 5 without stride, conv5 dilated by 2, dropout, pooling, one linear layer.

    The fully convolutional VGG-16 of weakly supervised segmentation (FickleNet, section 4.1; Entropy Pooling,
    section 4.4; DSRG). Poolings round up, so that 321 pixels give 41 cells. `features` are named as
    torchvision's VGG-16 names them: its weights fit.

    Args:
        classes: C, the number of classes.
        dropout: before the linear layer, 0-1.
    """

    def __init__(self, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = _dilated(vgg16(weights=None).features)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(CHANNELS, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of normalised images (N, 3, H, W)."""
        pooled = self.features(images).mean(dim=(2, 3))  # (N, 512)
        return cast("Tensor", self.fc(self.dropout(pooled)))


def poolings(features: nn.Sequential) -> list[nn.Module]:
    """VGG's max poolings, from shallow to deep."""
    return [layer for layer in features if isinstance(layer, nn.MaxPool2d)]


def _dilated(features: nn.Sequential) -> nn.Sequential:
    """VGG-16's features at stride 8 with the receptive field of stride 16."""
    seen = 0
    for place, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            seen += 1
            # The last two keep the resolution, as DeepLab has them.
            features[place] = (
                nn.MaxPool2d(2, 2, ceil_mode=True)
                if seen <= POOLINGS - 2
                else nn.MaxPool2d(3, stride=1, padding=1)
            )
        elif isinstance(layer, nn.Conv2d) and seen == POOLINGS - 1:
            layer.dilation, layer.padding = (2, 2), (2, 2)
    return features
