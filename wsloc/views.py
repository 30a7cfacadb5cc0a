"""Maps of a batch in the input frame, from one pass or averaged over several scales and mirror images of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from wsloc.choice import Choice
from wsloc.errors import UnsupportedError
from wsloc.methods import MAPS
from wsloc.methods.ep import observe_pooled, with_entropy_pooling
from wsloc.methods.ficklenet import single_draws
from wsloc.methods.rib import FineTuning, fine_tuned_maps
from wsloc.networks.map_operations import NORMALIZATIONS, averaged, upsample
from wsloc.networks.tasks import probabilities
from wsloc.running.stages import FINE_TUNING, FORWARD, MAPPING, Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from wsloc.inputs.other_images import OtherImages
    from wsloc.networks.network import Network, Observation


@dataclass(frozen=True, slots=True)
class Views:
    """How often, and how, each input is looked at.

    Attributes:
        scales: of the input's sides. Classes and probabilities are those of the first one.
        flip: whether each scale is looked at mirrored, too.
        fine_tuning: how the network is fine-tuned for the map `rib`, which has scales and mirror images of its own.

    Raises:
        UnsupportedError: if there is no scale, or one is not in (0, 16].
    """

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    fine_tuning: FineTuning = field(default_factory=FineTuning)

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

    def joined_by(self, pool: OtherImages) -> Views:
        """The same with images that join each fine-tuning."""
        return replace(self, fine_tuning=replace(self.fine_tuning, pool=pool))

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
    autocast: torch.dtype | None = None,
    keys: Sequence[int] = (),
    show_draws: int = 0,
    stages: Stages | None = None,
) -> dict[str, Explanation]:
    """Several maps of the same inputs, from one pass through the trunk a view, and RIB's from its own.

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
        autocast: what the trunk runs in, a value of `PRECISIONS`.
        keys: N numbers that tell the images apart: what random maps are drawn from, beside the view.
        show_draws: how many single draws of random maps are given, too.
        stages: told where the time goes.

    Raises:
        UnsupportedError: if a map does not fit the network.
    """
    stages = stages or Stages()
    tuned = [name for name in maps if MAPS[name].fine_tuned]
    found = {}
    if len(tuned) < len(maps):
        found = _over_views(
            *(network, inputs, [name for name in maps if name not in tuned], choose),
            task=task,
            views=views,
            normalization=normalization,
            autocast=autocast,
            keys=keys,
            show_draws=show_draws,
            stages=stages,
        )
    for name in tuned:
        with stages.measure(FINE_TUNING, on_device=True):
            found[name] = _fine_tuned(
                *(network, inputs, choose),
                task=task,
                settings=views.fine_tuning,
                normalization=normalization or MAPS[name].normalization,
                autocast=autocast,
                keys=keys,
            )
    return found


def _over_views(
    network: Network,
    inputs: Tensor,
    maps: Sequence[str],
    choose: Callable[[Tensor], Tensor],
    *,
    task: str,
    views: Views,
    normalization: str | None,
    autocast: torch.dtype | None,
    keys: Sequence[int],
    show_draws: int,
    stages: Stages,
) -> dict[str, Explanation]:
    """Maps that are averaged over views; arguments as of `explain`."""
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
            averaged(total, len(views), normalization or MAPS[name].normalization),
            draws.get(name),
        )
        for name, total in totals.items()
    }


def _fine_tuned(
    network: Network,
    inputs: Tensor,
    choose: Callable[[Tensor], Tensor],
    *,
    task: str,
    settings: FineTuning,
    normalization: str,
    autocast: torch.dtype | None,
    keys: Sequence[int],
) -> Explanation:
    """RIB's maps; classes and probabilities are those of the network before it is fine-tuned."""
    views = partial(Views(settings.scales, settings.flip).of, smallest=network.family.smallest_input)
    first, _ = next(views(inputs))
    logits = network.observe(first, differentiable=False, autocast=autocast).logits  # (N, C)
    scores = probabilities(logits, task)
    class_index = choose(scores)  # (N, P)
    chosen = choose if isinstance(choose, Choice) else Choice()  # what a function chooses is the images' own
    maps = fine_tuned_maps(
        *(network, inputs, views, class_index, settings),
        guesses=chosen.guesses(scores),
        alone=chosen.alone,
        normalization=normalization,
        keys=keys,
        autocast=autocast,
    )
    return Explanation(class_index, scores.gather(1, class_index), maps)


def pooled(network: Network, own: Observation) -> tuple[Network, Observation]:
    """The network under Entropy Pooling; on one that was trained without, that is EP inference."""
    if network.pooling is not None:
        return network, own
    pooling = with_entropy_pooling(network)
    return pooling, observe_pooled(pooling, own.feature_map)
