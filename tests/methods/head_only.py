"""Networks without a trunk: their images are the feature map, so that what a method makes of it can be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wsloc.networks.network import Family, Network

if TYPE_CHECKING:
    from collections.abc import Callable


def linear_network(weight: Tensor, bias: Tensor | None = None) -> Network:
    """Global average pooling and one linear layer with the given weight (C, K) and bias (C,)."""
    classes, channels = weight.shape
    layer = nn.Linear(channels, classes, bias=bias is not None)
    state = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    layer.load_state_dict(state)
    return Network("by-hand", layer, Family("by hand", _identity, _pooled, _itself, stride=1)).eval()


def headed_network(head: Callable[[Tensor], Tensor]) -> Network:
    """Any head (N, K, h, w) -> (N, C): not one that is pooling and a linear layer."""
    family = Family("by hand", _identity, lambda _model, feature_map: head(feature_map), None, stride=1)
    return Network("by-hand", nn.Identity(), family).eval()


def all_classes(network: Network, feature_map: Tensor) -> Tensor:
    """Every class index of a network, for every image of a feature map: (N, C)."""
    with torch.no_grad():
        logits = network.head(feature_map)
    return torch.arange(logits.shape[1]).repeat(len(logits), 1)


def _identity(_model: nn.Module, images: Tensor) -> Tensor:
    return images


def _pooled(model: nn.Module, feature_map: Tensor) -> Tensor:
    logits: Tensor = model(feature_map.mean(dim=(2, 3)))
    return logits


def _itself(model: nn.Module) -> nn.Module:
    return model
