"""Copies of a network's last stages and classifier, stacked so that each has weights of its own in one pass."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.precision import autocasting

if TYPE_CHECKING:
    from wsloc.networks.network import LastStages, Network

Weights = dict[str, Tensor]

# The classifier's own entries among the weights of a copy; every other one is of the stages.
WEIGHT, BIAS = "classifier.weight", "classifier.bias"


class LastStagesModule(nn.Module):
    """The last two stages of a network, to be run with weights from elsewhere (`torch.func.functional_call`).

    Its modules are copies and its tensors the network's own: whatever is put in their place while it runs, and
    however that ends, the network itself is not touched. In evaluation mode, batch norm on running statistics.

    Args:
        network: of a family with `last_stages`; its model keeps its modes.

    Raises:
        UnsupportedError: as `require_last_stages`.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._stages = require_last_stages(network)
        tensors = chain(network.model.parameters(), network.model.buffers())
        self.model = deepcopy(network.model, {id(tensor): tensor for tensor in tensors}).eval()

    def forward(self, x: Tensor) -> Tensor:
        """Feature map (V, K, h, w) of what goes into the stages, (V, K', h', w')."""
        return self._stages.above(self.model, x)


def require_last_stages(network: Network) -> LastStages:
    """The last two stages of a network with a pooled linear head.

    Raises:
        UnsupportedError: if its head is another, its stages have no names, or BEW layers weigh its features.
    """
    network.linear()
    if network.family.last_stages is None:
        raise UnsupportedError(
            f"{network.name} ({network.family.name}): which are its last two stages is not known, and RIB fine-tunes "
            "these: use --map cam, or a ResNet, small_resnet, a VGG without fully connected layers, Inception v3, "
            "GoogLeNet, RegNet or ShuffleNet"
        )
    if network.branches:
        raise UnsupportedError(
            f"{network.name} has BEW layers, whose weights RIB does not fine-tune: use --map cam, or a network "
            "without branches"
        )
    return network.family.last_stages


def stacked_weights(network: Network, count: int) -> Weights:
    """So many copies of the weights of the last two stages and the classifier: each entry (count, ...).

    Keys are those of `LastStagesModule`, beside `WEIGHT` (count, C, K) and, where there is one, `BIAS` (count, C).
    """
    parts = tuple(f"{part}." for part in require_last_stages(network).parts)
    weight, bias = network.linear()
    single: Weights = {
        f"model.{name}": parameter
        for name, parameter in network.model.named_parameters()
        if name.startswith(parts)
    }
    single |= {WEIGHT: weight} if bias is None else {WEIGHT: weight, BIAS: bias}
    return {name: value.detach().expand(count, *value.shape).clone() for name, value in single.items()}


def descend(
    weights: Weights, gradients: Weights, learning_rates: tuple[float, float], weight_decay: float
) -> None:
    """One step of plain SGD on every copy, in place.

    Args:
        weights: of `stacked_weights`.
        gradients: of the same keys and shapes.
        learning_rates: of the stages and of the classifier.
        weight_decay: L2, added to the gradients as `torch.optim.SGD` does.
    """
    for name, value in weights.items():
        rate = learning_rates[name in {WEIGHT, BIAS}]
        value.sub_(gradients[name].add(value, alpha=weight_decay), alpha=rate)


def features_below(network: Network, images: Tensor, *, autocast: torch.dtype | None = None) -> Tensor:
    """What goes into the last two stages, float32 (N, K', h', w'), of normalised images (N, 3, H, W); no graph.

    Args:
        network: in evaluation mode.
        images: normalised.
        autocast: what these layers run in, a value of `PRECISIONS`.
    """
    stages = require_last_stages(network)
    with torch.no_grad(), autocasting(images.device.type, autocast):
        return stages.below(network.model, images).float()
