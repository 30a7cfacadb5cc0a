"""GAIN's losses as the paper writes them: loops over images, classes and cells, one masked picture at a time."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

    from wsloc.methods.gain import GainNetwork


def attention(network: GainNetwork, image: Tensor, index: int) -> Tensor:
    """A^c (h, w) of one image (3, H, W) (eqs. 1 and 2), on the last feature map."""
    feature_map = network.features(image[None])
    score = network.head(feature_map)[0, index]
    (gradient,) = torch.autograd.grad(score, feature_map, retain_graph=True)
    weights = gradient[0].mean(dim=(1, 2))
    total = torch.zeros(feature_map.shape[2:])
    for channel, weight in enumerate(weights):
        total = total + weight * feature_map[0, channel]
    return total.relu()


def mining(network: GainNetwork, images: Tensor, targets: Tensor) -> Tensor:
    """L_am (eqs. 3 to 5) of multi-label images, the second pass by a frozen copy in evaluation mode."""
    guidance = network.guidance
    second = copy.deepcopy(network).eval().requires_grad_(False)
    means = []
    for image, labels in zip(images, targets, strict=True):
        scores = []
        for index in labels.nonzero().flatten().tolist():
            shown = attention(network, image, index)
            if shown.max() == 0:
                continue
            shown = shown / shown.max().detach()
            upsampled = F.interpolate(shown[None, None], size=tuple(image.shape[1:]), mode="bilinear")[0]
            mask = 1 / (1 + torch.exp(-guidance.mask_scale * (upsampled - guidance.mask_threshold)))
            scores.append(torch.sigmoid(second((image - mask * image)[None])[0, index]))
        if scores:
            means.append(torch.stack(scores).mean())
    return torch.stack(means).mean()


def mask_loss(shown: Tensor, mask: Tensor) -> float:
    """L_p (eq. 7) of one class: attention (h, w) against cells (h, w), NaN where they are void."""
    total, count = 0.0, 0
    for row in range(shown.shape[0]):
        for column in range(shown.shape[1]):
            aim = float(mask[row, column])
            if not math.isnan(aim):
                total += (float(shown[row, column]) - aim) ** 2
                count += 1
    return total / count


def box_loss(shown: Tensor, box: Tensor, saliency: Tensor) -> float:
    """L_bbox (eq. 9) of one class: attention, box and saliency, all (h, w)."""
    total = 0.0
    for row in range(shown.shape[0]):
        for column in range(shown.shape[1]):
            a, b, s = (float(values[row, column]) for values in (shown, box, saliency))
            total += ((1 - b) * a) ** 2 + (b * (a - s)) ** 2
    return total / shown.numel()
