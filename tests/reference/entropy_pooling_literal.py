"""Entropy Pooling as the paper writes it: one cell, one class at a time, in float64. Slow on purpose.

Wan et al., Information Entropy Based Feature Pooling for Convolutional Neural Networks, ICCV 2019, equations
1 to 5 and section 4.3. The paper leaves out the classifier's bias and says nothing of images whose entropies
are all equal; both are as `wsloc.methods.ep` documents them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = npt.NDArray[np.float64]

SMALLEST_ENTROPY = 1e-6
EQUAL_ENTROPIES = 1e-6


@dataclass(frozen=True)
class EntropyPooled:
    """What Entropy Pooling makes of one image.

    Attributes:
        entropy_weight: lambda (h, w), eq. 3.
        logits: z (C,), the classifier's answer to eq. 4.
        class_weights: lambda_c (C, h, w), eq. 5.
        top5: lambda_top5 (h, w), section 4.3.
    """

    entropy_weight: Floats
    logits: Floats
    class_weights: Floats
    top5: Floats


def entropy_pooling(feature_map: Floats, weight: Floats, bias: Floats) -> EntropyPooled:
    """Equations 1 to 5 for one feature map (K, h, w), classifier weight (C, K) and bias (C,)."""
    classes, (_, height, width) = len(weight), feature_map.shape
    probabilities = np.zeros((classes, height, width))
    entropies = np.zeros((height, width))
    for row, column in _cells(height, width):
        logits = _classify(feature_map[:, row, column], weight, bias)  # F_u, below eq. 1
        probabilities[:, row, column] = _softmax(logits)
        entropies[row, column] = _entropy(probabilities[:, row, column])
    weights = _entropy_weights(entropies)
    class_weights = np.zeros((classes, height, width))
    for c in range(classes):
        for row, column in _cells(height, width):
            class_weights[c, row, column] = weights[row, column] * probabilities[c, row, column]  # eq. 5
    logits = _classify(_pool(feature_map, weights), weight, bias)
    return EntropyPooled(weights, logits, class_weights, _top5(class_weights, logits))


def _cells(height: int, width: int) -> Iterator[tuple[int, int]]:
    for row in range(height):
        for column in range(width):
            yield row, column


def _classify(feature: Floats, weight: Floats, bias: Floats) -> Floats:
    """The classifier on one feature vector (K,): (C,)."""
    logits: Floats = np.array(bias, np.float64)
    for c in range(len(weight)):
        for k in range(len(feature)):
            logits[c] += weight[c, k] * feature[k]
    return logits


def _softmax(logits: Floats) -> Floats:
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return np.array([power / math.fsum(powers) for power in powers])


def _entropy(probabilities: Floats) -> float:
    """Eq. 2, in nats; 0 log 0 is 0."""
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)


def _entropy_weights(entropies: Floats) -> Floats:
    """Eq. 3, with its two limits: entropies that are all equal, and entropies that are next to nothing."""
    highest, lowest = max(entropies.flat), min(entropies.flat)
    if highest - lowest <= EQUAL_ENTROPIES * highest:
        return np.ones_like(entropies)
    weights = np.zeros_like(entropies)
    for row, column in _cells(*entropies.shape):
        weights[row, column] = 1 - entropies[row, column] / max(highest, SMALLEST_ENTROPY)
    return weights


def _pool(feature_map: Floats, weights: Floats) -> Floats:
    """Eq. 4: a feature map (K, h, w) and lambda (h, w) -> (K,)."""
    height, width = weights.shape
    pooled = np.zeros(len(feature_map))
    for row, column in _cells(height, width):
        pooled += weights[row, column] * feature_map[:, row, column] / (height * width)
    return pooled


def _top5(class_weights: Floats, logits: Floats) -> Floats:
    """Section 4.3: lambda_c summed over the five classes of the highest logits, or over all if they are fewer."""
    best = sorted(range(len(logits)), key=lambda c: logits[c], reverse=True)[:5]
    total = np.zeros(class_weights.shape[1:])
    for c in best:
        total += class_weights[c]
    return total
