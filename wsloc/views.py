"""Maps of a batch in the input frame, from one pass or averaged over several scales and mirror images of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from wsloc.errors import UnsupportedError
from wsloc.methods import MAPS
from wsloc.methods.ep import observe_pooled, with_entropy_pooling
from wsloc.methods.ficklenet import single_draws
from wsloc.networks.map_operations import NORMALIZATIONS, upsample
from wsloc.networks.tasks import probabilities
from wsloc.running.stages import FORWARD, MAPPING, Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from wsloc.networks.network import Network, Observation


@dataclass(frozen=True, slots=True)
class Views:
    """How often, and how, each input is looked at.

    Attributes:
        scales: of the input's sides. Classes and probabilities are those of the first one.
        flip: whether each scale is looked at mirrored, too.

    Raises:
        UnsupportedError: if there is no scale, or one is not in (0, 16].
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale <= 16 for scale in self.scales):
            raise UnsupportedError(f"scales are factors above 0 and at most 16, not {list(self.scales)}")

    def __len__(self) -> int:
        return len(self.scales) * (1 + self.flip)

    @property
    def draw_keys(self) -> tuple[tuple[int, int], ...]:
        """What tells each view from the others, in their order: scale in millionths, 1 if mirrored."""
        ways = (0, 1) if self.flip else (0,)
        return tuple((round(scale * 1e6), way) for scale in self.scales for way in ways)

    def of(self, inputs: Tensor, smallest: int) -> Iterator[tuple[Tensor, bool]]:
        """Each view of inputs (N, 3, H, W), and whether it is mirrored; no side is below `smallest` pixels."""
        for scale in self.scales:
            view = inputs
            if scale != 1:
                size = [max(smallest, round(side * scale)) for side in inputs.shape[2:]]
                view = F.interpolate(inputs, size=size, mode="bilinear", align_corners=False)
            yield view, False
            if self.flip:
                yield view.flip(3), True


@dataclass(frozen=True, slots=True)
class Explanation:
    """One kind of map of a batch, on the network's device.

    Attributes:
        class_index: (N, P), the classes explained.
        chosen: (N, P), their probabilities, 0-1.
        maps: float32 (N, P, H, W), input frame, or (N, 1, H, W) for a map that all classes share.
        draws: (N, P, D, h, w), grid frame, 0-1: the first random maps of the first view; None if none are shown.
    """

    class_index: Tensor
    chosen: Tensor
    maps: Tensor
    draws: Tensor | None = None


def explain(
    network: Network,
    inputs: Tensor,
    maps: Sequence[str],
    choose: Callable[[Tensor], Tensor],
    *,
    task: str,
    views: Views,
    normalization: str | None = None,
    autocast: bool = False,
    keys: Sequence[int] = (),
    show_draws: int = 0,
    stages: Stages | None = None,
) -> dict[str, Explanation]:
    """Several maps of the same inputs, from one pass through the trunk a view.

    Each view's maps are normalised, upsampled to the input's size and averaged; an average of maps that go up to 1
    is stretched to go up to 1 again.

    Args:
        network: in evaluation mode.
        inputs: normalised, (N, 3, H, W).
        maps: keys of `MAPS`.
        choose: probabilities (N, C) -> the classes (N, P), int64, that are to be explained.
        task: one of `TASKS`.
        views: how each input is looked at.
        normalization: key of `NORMALIZATIONS`; None for each map's own.
        autocast: whether the trunk runs in bfloat16.
        keys: N numbers that tell the images apart: what random maps are drawn from, beside the view.
        show_draws: how many single draws of random maps are given, too.
        stages: told where the time goes.

    Raises:
        UnsupportedError: if a map does not fit the network.
    """
    stages = stages or Stages()
    size = (inputs.shape[2], inputs.shape[3])
    gradient = any(MAPS[name].needs_gradient for name in maps)
    picked: dict[str, tuple[Tensor, Tensor]] = {}
    totals: dict[str, Tensor] = {}
    draws: dict[str, Tensor] = {}
    seen = zip(views.of(inputs, network.family.smallest_input), views.draw_keys, strict=True)
    for (view, mirrored), way in seen:
        with stages.measure(FORWARD, on_device=True):
            own = network.observe(view, differentiable=gradient, autocast=autocast)
        own = replace(own, draw_keys=tuple((key, *way) for key in keys))
        with torch.no_grad(), stages.measure(MAPPING, on_device=True):
            for name in maps:
                kind = MAPS[name]
                shown, observation = pooled(network, own) if kind.entropy_pooled else (network, own)
                if name not in picked:
                    scores = probabilities(observation.logits, task)  # (N, C)
                    class_index = choose(scores)  # (N, P)
                    picked[name] = class_index, scores.gather(1, class_index)
                if kind.stochastic and show_draws and name not in draws:
                    draws[name] = single_draws(network, own, picked[name][0], show_draws)
                cells = kind.activation_map(shown, observation, picked[name][0])  # (N, P or 1, h, w)
                cells = NORMALIZATIONS[normalization or kind.normalization](cells)
                cells = upsample(cells.flip(3) if mirrored else cells, size)  # (N, P or 1, H, W)
                totals[name] = totals[name] + cells if name in totals else cells
    return {
        name: Explanation(
            *picked[name],
            _averaged(total, len(views), normalization or MAPS[name].normalization),
            draws.get(name),
        )
        for name, total in totals.items()
    }


def pooled(network: Network, own: Observation) -> tuple[Network, Observation]:
    """The network under Entropy Pooling; on one that was trained without, that is EP inference."""
    if network.pooling is not None:
        return network, own
    pooling = with_entropy_pooling(network)
    return pooling, observe_pooled(pooling, own.feature_map)


def _averaged(total: Tensor, count: int, normalization: str) -> Tensor:
    """The mean of `count` maps (N, P, H, W) whose sum is given."""
    return total if count == 1 else NORMALIZATIONS[normalization](total / count)
