"""CAM and Grad-CAM, and the plain classifier with global average pooling that both explain.

CAM: Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016.
Grad-CAM: Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization,
ICCV 2017.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from wsloc.networks.backbones import build_backbone
from wsloc.networks.map_operations import class_gradients
from wsloc.networks.network import class_maps
from wsloc.networks.tasks import classification_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from wsloc.networks.network import Network, Observation
    from wsloc.networks.tasks import LabelledBatch

DEFAULTS: dict[str, bool | int | float | str] = {}
PRETRAINED: dict[str, bool | int | float | str] = {}


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> Network:
    """The backbone as it is: its own pooling and head.

    Args:
        backbone: a name of `available_backbones()`.
        classes: outputs.
        options: none are known to this method.
        weights: None for random weights, `DEFAULT` for torchvision's.
    """
    del options
    return build_backbone(backbone, classes=classes, weights=weights)


def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Classification loss, logits (N, C) and what else is worth logging: nothing."""
    logits = network(batch.images)
    return classification_loss(logits, batch.targets, batch.task), logits, {}


def activation_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """Class activation maps `A_c(u) = <W_c, v(u)>` (Zhou et al., eq. 2).

    One 1x1 convolution for all classes at once; no hooks, no backward pass.

    Args:
        network: with a pooled linear head.
        observation: of N images.
        class_index: (N, P), the classes explained.

    Returns:
        (N, P, h, w), grid frame, any sign.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    weight, _ = network.linear()
    maps = class_maps(observation.feature_map, weight)  # (N, C, h, w)
    rows = torch.arange(len(maps), device=maps.device)[:, None]
    return maps[rows, class_index]  # (N, P, h, w)


def grad_cam(_network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """Grad-CAM of the observed feature map (Selvaraju et al., eqs. 1 and 2, before the ReLU).

    Channel weights are the spatial means of dz_c/dv. Only what lies above the feature map is differentiated,
    so the cost above a forward pass is the head's. Parameters, their `.grad` and the mode stay as they are.

    Args:
        observation: differentiable, of N images, by any network.
        class_index: (N, P), the classes explained.

    Returns:
        (N, P, h, w), grid frame, any sign.
    """
    feature_map = observation.feature_map
    gradients = class_gradients(observation.logits, feature_map, class_index)  # (N, P, K, h, w)
    channel_weights = gradients.mean(dim=(-2, -1))  # (N, P, K)
    with torch.autocast(feature_map.device.type, enabled=False):
        return torch.einsum("npk,nkhw->nphw", channel_weights, feature_map.detach().float())
