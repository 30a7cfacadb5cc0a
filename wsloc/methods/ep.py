"""Entropy Pooling: a location counts as much as the network is certain of its class there.

Wan et al., Information Entropy Based Feature Pooling for Convolutional Neural Networks, ICCV 2019. Symbols:
v (N, K, h, w) the feature map, W (C, K) and b (C,) the classifier, u a cell, F_u = W v(u) + b its localized
logits, p_u = softmax(F_u).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import Network, class_maps
from wsloc.networks.tasks import classification_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.networks.network import Observation

SMALLEST_ENTROPY = 1e-6  # nats: below it every cell is certain, and the quotient would be noise
EQUAL_ENTROPIES = 1e-6  # relative spread below which all entropies count as equal
DEFAULTS: dict[str, bool | int | float | str] = {}


def entropy_weight(localized_logits: Tensor) -> Tensor:
    """The entropy weighting coefficients lambda (eqs. 2 and 3).

    `lambda(u) = 1 - H(u) / max_u H(u)`, H in nats; where all entropies of an image are equal (a 1 x 1 grid,
    a constant feature map) no cell is better than another, and lambda is 1 everywhere.

    Args:
        localized_logits: (N, C, h, w), W v(u) + b.

    Returns:
        (N, h, w), grid frame, 0-1, float32.
    """
    with torch.autocast(localized_logits.device.type, enabled=False):
        log_p = F.log_softmax(localized_logits.float(), dim=1)  # (N, C, h, w)
        entropy = -(log_p.exp() * log_p).sum(dim=1)  # (N, h, w)
        highest = entropy.amax(dim=(1, 2), keepdim=True)  # (N, 1, 1)
        lowest = entropy.detach().amin(dim=(1, 2), keepdim=True)
        equal = highest.detach() - lowest <= EQUAL_ENTROPIES * highest.detach()
        weight = (1 - entropy / highest.clamp_min(SMALLEST_ENTROPY)).clamp(0, 1)
        return weight.masked_fill(equal, 1.0)


class EntropyPooling(nn.Module):
    """Eq. 4 in place of global average pooling: `z = W (1/(hw) sum_u lambda(u) v(u)) + b`. No parameters."""

    def forward(self, feature_map: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w), in float32; gradients flow through lambda."""
        localized = class_maps(
            feature_map, weight
        )  # (N, C, h, w), without b: it must not be pooled by lambda
        biased = localized if bias is None else localized + bias.float()[:, None, None]
        pooled = (entropy_weight(biased).unsqueeze(1) * localized).mean(dim=(2, 3))  # (N, C)
        return pooled if bias is None else pooled + bias.float()


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> Network:
    """The backbone with Entropy Pooling in place of its global average pooling.

    Args:
        backbone: a name of `available_backbones()` with a pooled linear head.
        classes: outputs.
        options: none are known to this method.
        weights: None for random weights, `DEFAULT` for torchvision's.

    Raises:
        UnsupportedError: if the backbone's head is not pooling and one linear layer.
    """
    del options
    return with_entropy_pooling(build_backbone(backbone, classes=classes, weights=weights))


def with_entropy_pooling(network: Network) -> Network:
    """The same weights under Entropy Pooling: for a network trained with GAP this is the paper's *EP inference*.

    The given network is left as it is; modules are shared, not copied.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    network.linear()  # the check
    pooled = Network(network.name, network.model, network.family)
    pooled.pooling = EntropyPooling()
    pooled.training = network.training  # not train(): it would reach shared layers that are frozen on purpose
    return pooled


def loss(
    network: Network, images: Tensor, targets: Tensor, task: str
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Classification loss, logits (N, C) and the mean lambda, for normalised images (N, 3, H, W)."""
    feature_map = network.features(images)
    logits = network.head(feature_map)
    with torch.no_grad():
        mean_lambda = entropy_weight(class_maps(feature_map, *network.linear())).mean()
    return classification_loss(logits, targets, task), logits, {"mean_lambda": mean_lambda}


def entropy_map(network: Network, observation: Observation, _class_index: Tensor) -> Tensor:
    """Lambda of eq. 3: (N, 1, h, w), grid frame, 0-1; it carries no class.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    return entropy_weight(class_maps(observation.feature_map, *network.linear())).unsqueeze(1)


def activation_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """Class-specific entropy maps `lambda_c(u) = lambda(u) p_u(c)` (eq. 5).

    Args:
        network: with a pooled linear head, trained with EP or not.
        observation: of N images.
        class_index: (N, P), the classes explained.

    Returns:
        (N, P, h, w), grid frame, 0-1.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    localized = class_maps(observation.feature_map, *network.linear())  # (N, C, h, w)
    rows = torch.arange(len(localized), device=localized.device)[:, None]
    return entropy_weight(localized).unsqueeze(1) * localized.softmax(dim=1)[rows, class_index]


def top5_map(network: Network, observation: Observation, _class_index: Tensor) -> Tensor:
    """lambda_top5 (section 4.3): lambda_c summed over the min(5, C) classes of the highest logits.

    Returns:
        (N, 1, h, w), grid frame, 0-1: one map, and so one box, for all five guesses.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    best = observation.logits.topk(min(5, observation.logits.shape[1]), dim=1).indices  # (N, 5)
    return activation_map(network, observation, best).sum(dim=1, keepdim=True).clamp(max=1)
