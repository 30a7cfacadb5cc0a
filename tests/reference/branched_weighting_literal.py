"""Entropy Pooling and Branched Entropy Weighting, cell by cell, in float64, differentiable. Slow on purpose.

Wan et al., Information Entropy Based Feature Pooling for Convolutional Neural Networks, ICCV 2019, equations 2 to 4,
section 3.3 and figure 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BranchWeights:
    """The two 1x1 convolutions of a BEW layer.

    Attributes:
        reduce: (K/2, K).
        reduce_bias: (K/2,).
        classify: (C, K/2).
        classify_bias: (C,).
    """

    reduce: Tensor
    reduce_bias: Tensor
    classify: Tensor
    classify_bias: Tensor


def entropy_pooled(feature_map: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (C,) by eq. 4 and lambda (h, w) by eq. 3 of one feature map (K, h, w), float64."""
    _, height, width = feature_map.shape
    entropies = [
        [_entropy(_classify(feature_map[:, row, column], weight, bias)) for column in range(width)]
        for row in range(height)
    ]
    highest = torch.stack([torch.stack(row).max() for row in entropies]).max()
    coefficients = torch.stack([torch.stack([1 - entropy / highest for entropy in row]) for row in entropies])
    pooled = torch.zeros(len(feature_map), dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            pooled = pooled + coefficients[row, column] * feature_map[:, row, column] / (height * width)
    return _classify(pooled, weight, bias), coefficients


def branched_weighting(features: Tensor, layer: BranchWeights) -> tuple[Tensor, Tensor, Tensor]:
    """Weighed features (K, h, w), the branch's logits (C,) and its lambda (h, w), for features (K, h, w)."""
    _, height, width = features.shape
    reduced = torch.stack(
        [
            torch.stack(
                [
                    _classify(features[:, row, column], layer.reduce, layer.reduce_bias).clamp_min(0)
                    for column in range(width)
                ],
                dim=1,
            )
            for row in range(height)
        ],
        dim=1,
    )  # (K/2, h, w)
    logits, coefficients = entropy_pooled(reduced, layer.classify, layer.classify_bias)
    weighed = torch.stack([channel * coefficients for channel in features])
    return weighed, logits, coefficients


def _classify(feature: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """W v + b of one vector."""
    return torch.stack([(row * feature).sum() for row in weight]) + bias


def _entropy(logits: Tensor) -> Tensor:
    """Eq. 2, in nats, of softmax(logits)."""
    powers = (logits - logits.max()).exp()
    probabilities = powers / powers.sum()
    return -(probabilities * probabilities.log()).sum()
