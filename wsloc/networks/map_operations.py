"""Tensor work on activation maps that several methods share: normalise, upsample, differentiate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from wsloc.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def normalize_by_max(maps: Tensor) -> Tensor:
    """ReLU, then each map divided by its own maximum: 0-1; a map with no positive value is all zeros.

    Args:
        maps: (..., h, w), any sign.
    """
    maps = maps.float().relu()
    highest = maps.amax(dim=(-2, -1), keepdim=True)
    return maps / highest.where(highest > 0, torch.ones_like(highest))


def normalize_by_range(maps: Tensor) -> Tensor:
    """Each map's range stretched to 0-1 (WSOL's min-max); a constant map is all zeros.

    Args:
        maps: (..., h, w), any sign.
    """
    maps = maps.float()
    lowest = maps.amin(dim=(-2, -1), keepdim=True)
    extent = maps.amax(dim=(-2, -1), keepdim=True) - lowest
    return (maps - lowest) / extent.where(extent > 0, torch.ones_like(extent))


def _unchanged(maps: Tensor) -> Tensor:
    return maps.float()


NORMALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": normalize_by_max,
    "minmax": normalize_by_range,
    "none": _unchanged,
}


def averaged(total: Tensor, count: int, normalization: str) -> Tensor:
    """The mean of normalised maps whose sum is given; several that go up to 1 are stretched to do so again.

    Args:
        total: (..., h, w).
        count: how many maps it is the sum of.
        normalization: key of `NORMALIZATIONS`, theirs.
    """
    return total if count == 1 else NORMALIZATIONS[normalization](total / count)


def upsample(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (N, P, h, w) on the grid -> (N, P, H, W) in the input frame, bilinear, cell centres aligned.

    Bilinear, not bicubic: a non-negative map stays non-negative, and its maximum is never exceeded.

    Args:
        maps: grid frame.
        size: (height, width) of the input.
    """
    maps = maps.float()
    upsampled = F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    return upsampled.clamp(max=maps.amax(dim=(-2, -1), keepdim=True))  # by rounding it can be exceeded


def class_gradients(
    logits: Tensor,
    feature_map: Tensor,
    class_index: Tensor,
    *,
    keep_graph: bool = False,
    second_order: bool = False,
) -> Tensor:
    """Gradients d logits[n, class_index[n, p]] / d feature_map[n], all classes in one batched backward pass.

    Args:
        logits: (N, C), computed from `feature_map`.
        feature_map: (N, K, h, w), requires grad.
        class_index: (N, P), int64.
        keep_graph: whether the logits are to be differentiated again, as in a training.
        second_order: whether the gradients are to be differentiated themselves; the graph is then kept.

    Returns:
        (N, P, K, h, w), float32; parameters' `.grad` is untouched.

    Raises:
        UnsupportedError: if the logits do not depend on the feature map.
    """
    picked = F.one_hot(class_index.T, logits.shape[1]).to(logits.dtype)  # (P, N, C)
    with torch.autocast(logits.device.type, enabled=False):  # it would reach the batched backward pass
        # A vector-Jacobian product over P at once; for one class the plain form spares the batching.
        batched = len(picked) > 1
        vectors = picked if batched else picked[0]
        (gradients,) = torch.autograd.grad(
            logits,
            feature_map,
            vectors,
            retain_graph=keep_graph or second_order,
            create_graph=second_order,
            is_grads_batched=batched,
            allow_unused=True,
        )
    if gradients is None:
        raise UnsupportedError("the logits do not depend on the feature map: explain another layer")
    gradients = gradients if batched else gradients.unsqueeze(0)
    return gradients.transpose(0, 1).float()  # (P, N, K, h, w) -> (N, P, K, h, w)
