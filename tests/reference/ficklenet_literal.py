"""FickleNet as its paper words it: expand, drop, convolve with stride s, average, differentiate. Slow, and literal.

Lee et al., FickleNet: Weakly and Semi-supervised Semantic Image Segmentation using Stochastic Inference, CVPR 2019.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def expanded(feature_map: Tensor, kernel: int) -> Tensor:
    """Section 3.1.1, figure 2b: zero padding, then every window (i, j) side by side: (N, K, s * h, s * w)."""
    height, width = feature_map.shape[2:]
    reach = kernel // 2
    padded = F.pad(feature_map, (reach,) * 4)  # (N, K, h + s - 1, w + s - 1)
    rows = [
        torch.cat([padded[:, :, i : i + kernel, j : j + kernel] for j in range(width)], dim=3)
        for i in range(height)
    ]
    return torch.cat(rows, dim=2)


def expanded_mask(kept: Tensor, height: int, width: int) -> Tensor:
    """Masks by source cell and offset, (h * w, s * s), as masks of the expanded map, (s * h, s * w).

    The window (i, j) sees the cell (i + a - r, j + b - r) at its offset (a, b).
    """
    kernel = round(kept.shape[1] ** 0.5)
    reach = kernel // 2
    mask = torch.zeros(kernel * height, kernel * width, dtype=kept.dtype)
    for i in range(height):
        for j in range(width):
            for a in range(kernel):
                for b in range(kernel):
                    row, column = i + a - reach, j + b - reach
                    if 0 <= row < height and 0 <= column < width:
                        value = kept[row * width + column, a * kernel + b]
                        mask[kernel * i + a, kernel * j + b] = value
    return mask


def logits(feature_map: Tensor, mask: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Sections 3.1.2 and 3.1.3, before the sigmoid: (N, C) under masks (N or 1, s * h, s * w) of the expanded map.

    Args:
        feature_map: (N, K, h, w).
        mask: shared by the channels.
        weight: (C, K, s, s).
        bias: (C,).
    """
    dropped = expanded(feature_map, weight.shape[2]) * mask.unsqueeze(1)
    return F.conv2d(dropped, weight, bias, stride=weight.shape[2]).mean(dim=(2, 3))


def raw_map(feature_map: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, class_index: int) -> Tensor:
    """Eq. 1 before its ReLU, elementwise, of the logit: (N, h, w) = sum_k x_k * dz_c/dx_k."""
    leaf = feature_map.detach().requires_grad_()
    scores = logits(leaf, mask, weight, bias)[:, class_index].sum()
    (gradient,) = torch.autograd.grad(scores, leaf)
    return (leaf.detach() * gradient).sum(dim=1)


def pooled_gradient_map(
    feature_map: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, class_index: int
) -> Tensor:
    """Grad-CAM proper, which eq. 1 is not: gradients averaged over the grid first; (N, h, w) before the ReLU."""
    leaf = feature_map.detach().requires_grad_()
    scores = logits(leaf, mask, weight, bias)[:, class_index].sum()
    (gradient,) = torch.autograd.grad(scores, leaf)
    return (leaf.detach() * gradient.mean(dim=(2, 3), keepdim=True)).sum(dim=1)


def aggregated(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Section 3.2.2: maximum and mean (h, w) of maps (D, h, w) before their ReLU, each divided by its maximum."""
    shown = []
    for one in maps.relu():
        highest = float(one.max())
        shown.append(one / highest if highest > 0 else one)
    return torch.stack(shown).amax(dim=0), torch.stack(shown).mean(dim=0)
