"""Soft masks of attention, and what is put in a picture's place where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

NORMALIZATIONS = ("max", "minmax")
PATCHES = 8  # a side: a blurred picture is made of their means


def normalized(maps: Tensor, how: str = "max") -> Tensor:
    """Attention (..., h, w) brought to 0-1 by constants, so that gradients see a scale only.

    Args:
        maps: >= 0.
        how: of `NORMALIZATIONS`; a map of zeros stays one, a constant one becomes one under `minmax`.
    """
    highest = maps.detach().amax(dim=(-2, -1), keepdim=True)
    lowest = maps.detach().amin(dim=(-2, -1), keepdim=True) if how == "minmax" else torch.zeros_like(highest)
    extent = highest - lowest
    return (maps - lowest) / extent.where(extent > 0, torch.ones_like(extent))


def soft_mask(maps: Tensor, size: tuple[int, int], scale: float, threshold: float) -> Tensor:
    """T(A) (eq. 4) of attention (M, h, w), 0-1, in the input frame: (M, 1, H, W), 0-1."""
    upsampled = F.interpolate(maps.unsqueeze(1), size=size, mode="bilinear", align_corners=False)
    return torch.sigmoid(scale * (upsampled - threshold))


def _image_mean(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3), keepdim=True).expand_as(images)


def _blurred(images: Tensor) -> Tensor:
    """Means over patches, interpolated: (N, 3, H, W)."""
    size = images.shape[2:]
    coarse = F.adaptive_avg_pool2d(images, PATCHES)
    return F.interpolate(coarse, size=size, mode="bilinear", align_corners=False)


# Zero is the mean colour of the data set on normalised images.
FILLS: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "mean": _image_mean,
    "blur": _blurred,
    "noise": torch.randn_like,
}
