"""Batch norm whose statistics are those of the images of all processes together."""

from __future__ import annotations

from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over several processes, on any device; torch's own `SyncBatchNorm` runs on GPUs alone.

    Its parameters and buffers have the same names. Where no processes train together it is batch norm.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """Normalised features (N, K, h, w); in training by the mean and variance over all processes."""
        if not self.training or not dist.is_initialized():
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            values = input.float()
            count = values.new_full((1,), values.numel() / values.shape[1])
            sums = torch.cat(
                (values.sum(dim=(0, 2, 3)), values.square().sum(dim=(0, 2, 3)), count)
            )  # (2K + 1,)
            sums = cast("Tensor", all_reduce(sums))  # type: ignore[no-untyped-call]  # gradients flow back to all
            total = sums[-1].detach()
            mean, square = sums[:-1].div(total).chunk(2)  # (K,) each
            variance = (square - mean.square()).clamp_min(0)
            self._remember(mean.detach(), variance.detach(), total)
            scale = torch.rsqrt(variance + self.eps)
            if self.affine:
                scale = scale * self.weight
            shift = self.bias - mean * scale if self.affine else -mean * scale  # (K,)
            normed = values * scale[:, None, None] + shift[:, None, None]
        return normed.to(input.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Move the running statistics, the variance by its unbiased estimate, as batch norm does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1).clamp_min(1)), share)


def synchronize(module: nn.Module) -> None:
    """Replace every `BatchNorm2d` inside a module by one over all processes; weights and names stay.

    Args:
        module: changed in place; torch's own `SyncBatchNorm` takes its place on GPUs.
    """
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            setattr(module, name, _synced(child))
        else:
            synchronize(child)


def _synced(norm: nn.BatchNorm2d) -> nn.Module:
    if any(value.is_cuda for value in norm.buffers()):
        return cast("nn.Module", nn.SyncBatchNorm.convert_sync_batchnorm(norm))  # type: ignore[no-untyped-call]  # torch ships no annotation
    synced = SyncedBatchNorm2d(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    synced.load_state_dict(norm.state_dict())
    synced.train(norm.training)
    return synced
