"""A finer grid from the same weights: the last strides become dilations (the "a trous" trick)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from wsloc.errors import UnsupportedError

if TYPE_CHECKING:
    from wsloc.networks.network import Network


def set_output_stride(network: Network, output_stride: int) -> None:
    """Give a network's feature map a cell every `output_stride` input pixels, in place; no weight changes.

    Strides of the deepest stages become 1, and what follows them is dilated to the receptive field it had: every
    cell of the coarser grid keeps its value, the new ones stand between them. Pooled logits, which average over
    more cells, differ slightly. Deeper stages take 4 times the work for every halving. Chen et al., Semantic Image
    Segmentation with Deep Convolutional Nets and Fully Connected CRFs, ICLR 2015, section 3.1.

    Args:
        network: of a family with `stages`.
        output_stride: the family's stride divided by a power of two.

    Raises:
        UnsupportedError: if the family has no stages to dilate, or the stride cannot be had.
    """
    family = network.family
    possible = [family.stride // 2**count for count in range(len(family.stages) + 1)]
    if output_stride not in possible:
        raise UnsupportedError(
            f"{network.name} ({family.name}) has output strides {', '.join(map(str, possible))}, not {output_stride}"
        )
    count = possible.index(output_stride)
    factor = 1
    for name in family.stages[len(family.stages) - count :]:
        factor = _dilate(network.model.get_submodule(name), factor)
    network.family = replace(family, stride=output_stride, stages=family.stages[: len(family.stages) - count])


def _dilate(stage: nn.Module, factor: int) -> int:
    """Take the stride out of a stage whose input is dilated by `factor`; the factor of what follows it."""
    following = factor
    for layer in stage.modules():  # in the order of use, but for shortcuts, whose kernel is 1
        if not isinstance(layer, nn.Conv2d):
            continue
        dilation = following
        if layer.stride == (2, 2):
            layer.stride, following = (1, 1), 2 * factor
        if layer.kernel_size != (1, 1):
            layer.dilation = (layer.dilation[0] * dilation, layer.dilation[1] * dilation)
            padding = layer.padding
            layer.padding = (int(padding[0]) * dilation, int(padding[1]) * dilation)
    return following
