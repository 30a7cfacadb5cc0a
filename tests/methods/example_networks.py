"""Networks to try methods on: without a trunk, so that results can be counted by hand, and random real ones.

Without a trunk the images are the feature map.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wsloc.methods.ficklenet import Drawing, FickleNetwork
from wsloc.networks.backbones import build_backbone
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


def fickle_network(
    weight: Tensor, bias: Tensor, *, drop_rate: float = 0.5, mode: str = "stochastic"
) -> FickleNetwork:
    """FickleNet's head with the given weight (C, K, s, s) and bias (C,)."""
    classes, channels, kernel = weight.shape[:3]
    family = Family("by hand", _identity, _pooled, lambda model: model.get_submodule("fc"), stride=1)
    model = nn.Sequential(OrderedDict(fc=nn.Linear(channels, classes)))
    drawing = Drawing(draws=40, drop_rate=drop_rate, mode=mode)
    network = FickleNetwork(Network("by-hand", model, family), kernel, drop_rate, mode, drawing)
    network.model.load_state_dict({"fc.weight": weight, "fc.bias": bias})
    return network.to(weight.dtype).eval()


def headed_network(head: Callable[[Tensor], Tensor]) -> Network:
    """Any head (N, K, h, w) -> (N, C): not one that is pooling and a linear layer."""
    family = Family("by hand", _identity, lambda _model, feature_map: head(feature_map), None, stride=1)
    return Network("by-hand", nn.Identity(), family).eval()


def all_classes(network: Network, feature_map: Tensor) -> Tensor:
    """Every class index of a network, for every image of a feature map: (N, C)."""
    with torch.no_grad():
        logits = network.head(feature_map)
    return torch.arange(logits.shape[1]).repeat(len(logits), 1)


def random_images() -> Tensor:
    """Three images (3, 3, 96, 64): a grid of 3 x 2 cells at stride 32."""
    return torch.randn(3, 3, 96, 64, generator=torch.Generator().manual_seed(1))


def random_network(backbone: str, classes: int) -> Network:
    """A random network whose batch norms have seen the random images: else deep ones hardly tell them apart."""
    torch.manual_seed(0)
    network = build_backbone(backbone, classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(random_images())
    return network.eval()


def _identity(_model: nn.Module, images: Tensor) -> Tensor:
    return images


def _pooled(model: nn.Module, feature_map: Tensor) -> Tensor:
    logits: Tensor = model(feature_map.mean(dim=(2, 3)))
    return logits


def _itself(model: nn.Module) -> nn.Module:
    return model
