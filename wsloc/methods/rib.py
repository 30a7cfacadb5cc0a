"""RIB: the classifier is fine-tuned on each image without its last activation, and the maps of all steps summed.

Lee et al., Reducing Information Bottleneck for Weakly Supervised Semantic Segmentation, NeurIPS 2021.

From a fresh copy of the classifier, an image is taken through K steps of plain SGD on the last two stages and the
classifier, batch norm on running statistics. With x_c(u) = <W_c, v(u)> the CAM at cell u, before any ReLU, and h w the
cells of a view:

    z_c = b_c + 1/(hw) sum_u x_c(u) [x_c(u) / max x_c < tau]        GNDRP: discriminative cells are left out
    loss = - sum over views and the image's own classes of z_c      no sigmoid, no softmax
    map = sum over steps 0 to K of the CAMs of all views            step 0 is the network as it was

Decisions where only the abstract is at hand: the mask is not differentiated; where max x_c is not positive, all cells
are kept; a bias is in the logits and not in the maps; K steps give K + 1 maps; of the stages all parameters are
trained, batch norm's scale and shift included. Other training images that share no class may join each step, at their
own size and with their own classes: the same ones in all steps of an image.

What lies below the last two stages never changes, so it is computed once a view and kept. Images are fine-tuned side
by side, each with a copy of the weights of its own; the network is not touched, whatever happens meanwhile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from wsloc.errors import UnsupportedError
from wsloc.inputs.number_kinds import is_real, is_whole
from wsloc.methods import cam
from wsloc.networks.class_sets import ClassTuning, class_sets, class_tunings, padded
from wsloc.networks.map_operations import NORMALIZATIONS, averaged, upsample
from wsloc.networks.stacked_copies import (
    BIAS,
    WEIGHT,
    LastStagesModule,
    Weights,
    descend,
    features_below,
    stacked_weights,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wsloc.inputs.other_images import OtherImages
    from wsloc.networks.network import Network, Observation

SUMS = ("normalized", "raw")
SIDE_BY_SIDE = 8  # fine-tunings at once on an accelerator; on a CPU one is as fast as several


@dataclass(frozen=True, slots=True)
class FineTuning:
    """How the network is fine-tuned on an image, and its maps summed; the defaults are those of RIB's authors.

    Attributes:
        steps: K; 0 gives the CAM of the network as it is.
        learning_rate: of the last two stages.
        classifier_learning_rate: of the linear layer.
        weight_decay: L2, of both.
        power: of the polynomial decay: step k of K has (1 - k/K)**power of the learning rates.
        tau: cells of at least this share (0-1) of a class map's maximum are left out of its logit.
        scales: of the input's sides; classes and probabilities are those of the first one.
        flip: whether each scale is looked at mirrored, too.
        sum: of `SUMS`: each step's map is divided by its maximum before it is summed (`normalized`), or not (`raw`,
            as the authors' code has it; later steps then count for more, as logits grow).
        stop_logit: an image is done when its logits, summed over views and classes, exceed this.
        stop_share: it is done, too, when after step 0 more than this share (0-1) of any class's map ...
        stop_level: ... exceeds this share (0-1) of the map's maximum. The map of that step is kept.
        others: B, how many images of the pool join each step.
        pool: training images, of which those that share no class with the image are drawn; None for none: B is 0.
        side_by_side: how many fine-tunings run at once; 0 for what suits the device.

    Raises:
        UnsupportedError: if one is unknown or out of its range.
    """

    steps: int = 10
    learning_rate: float = 8e-6
    classifier_learning_rate: float = 8e-5
    weight_decay: float = 1e-4
    power: float = 0.9
    tau: float = 0.4
    scales: tuple[float, ...] = (1.0, 0.5, 1.5, 2.0)
    flip: bool = True
    sum: str = "normalized"
    stop_logit: float = 600.0
    stop_share: float = 0.7
    stop_level: float = 0.3
    others: int = 20
    pool: OtherImages | None = None
    side_by_side: int = 0

    def __post_init__(self) -> None:
        for option in ("steps", "others", "side_by_side"):
            value = getattr(self, option)
            if not is_whole(value) or value < 0:
                raise UnsupportedError(f"RIB's {option} is a whole number from 0, not {value!r}")
        for option in ("learning_rate", "classifier_learning_rate", "weight_decay", "power"):
            value = getattr(self, option)
            if not is_real(value) or not 0 <= value < float("inf"):
                raise UnsupportedError(f"RIB's {option} is a number from 0, not {value!r}")
        for option in ("tau", "stop_share", "stop_level"):
            value = getattr(self, option)
            if not is_real(value) or not 0 <= value <= 1:
                raise UnsupportedError(f"RIB's {option} is a share in 0-1, not {value!r}")
        if not is_real(self.stop_logit) or math.isnan(self.stop_logit):
            raise UnsupportedError(f"RIB's stop_logit is a number, not {self.stop_logit!r}")
        if self.sum not in SUMS:
            raise UnsupportedError(f"RIB's sum is {' or '.join(SUMS)}, not {self.sum!r}")

    def learning_rates(self, step: int) -> tuple[float, float]:
        """Of the stages and of the classifier at a step from 0, below K."""
        factor = (1 - step / self.steps) ** self.power
        return self.learning_rate * factor, self.classifier_learning_rate * factor


def activation_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """What is summed over steps and views: the CAM of one of them, as `cam.activation_map`."""
    return cam.activation_map(network, observation, class_index)


def gndrp(maps: Tensor, tau: float) -> Tensor:
    """Global non-discriminative region pooling: the mean of what lies below a share of the maximum.

    The divisor counts all cells; which are left out is not differentiated. A map without a positive value is pooled
    as a whole.

    Args:
        maps: (..., h, w), any sign.
        tau: cells of at least this share of a map's maximum count as 0.

    Returns:
        (...).
    """
    cells = maps.detach()
    highest = cells.amax(dim=(-2, -1), keepdim=True)
    kept = (cells / highest < tau) | (highest <= 0)
    return (maps * kept).mean(dim=(-2, -1))


def fine_tuned_maps(
    network: Network,
    inputs: Tensor,
    views_of: Callable[[Tensor], Iterable[tuple[Tensor, bool]]],
    class_index: Tensor,
    settings: FineTuning,
    *,
    guesses: int = 0,
    alone: bool = True,
    normalization: str = "max",
    keys: Sequence[int] = (),
    autocast: torch.dtype | None = None,
) -> Tensor:
    """The maps of N images, each from fine-tunings of its own; the network is left as it is.

    Args:
        network: with a pooled linear head and last stages that are known.
        inputs: normalised, (N, 3, H, W).
        views_of: of some inputs each view (n, 3, H', W'), and whether it is mirrored; the same for all.
        class_index: (N, P), the classes explained; a class that stands there twice counts once.
        settings: steps, rates and rules.
        guesses: how many of the P come first as guesses; the others are the image's own classes, for all of which
            the network is fine-tuned at once.
        alone: whether it is fine-tuned for each guess by itself; else guesses get the maps of the network that is
            fine-tuned for the own classes, if there are any.
        normalization: key of `NORMALIZATIONS`, of each view's map, each step's and the sum.
        keys: N numbers that tell the images apart: what other images are drawn by.
        autocast: what the layers below the last stages run in, a value of `PRECISIONS`.

    Returns:
        (N, P, H, W), float32, input frame.

    Raises:
        UnsupportedError: if the network has another head, or its last stages are not known.
        DataError: if there are no other images to draw, or one cannot be read.
    """
    size = (inputs.shape[2], inputs.shape[3])
    tuner = _Tuner(network, LastStagesModule(network), settings, normalization, size, autocast)
    rows: list[list[int]] = class_index.tolist()
    sets = [class_sets(row, guesses, alone=alone) for row in rows]
    maps = torch.zeros(*class_index.shape, *size, device=inputs.device)
    at_once = settings.side_by_side or (1 if inputs.device.type == "cpu" else SIDE_BY_SIDE)
    for start in range(0, len(rows), at_once):
        images = range(start, min(start + at_once, len(rows)))
        below = tuner.views_below(views_of(inputs[start : images.stop]))
        tunings = [
            tuning for image in images for tuning in class_tunings(image - start, rows[image], sets[image])
        ]
        for first in range(0, len(tunings), at_once):
            part = tunings[first : first + at_once]
            looks = tuner.looks(below, part, keys[start : images.stop])
            for (place, asked, shown), cells in zip(part, tuner.tune(looks), strict=True):
                for column, (index, own) in enumerate(
                    zip(rows[start + place], sets[start + place], strict=True)
                ):
                    if own == asked:
                        maps[start + place, column] = cells[shown.index(index)]
    return maps


@dataclass(frozen=True, slots=True)
class _Look:
    """Views of one size, V of each of I fine-tunings.

    Attributes:
        features: (I, V, K', h', w'), what goes into the last stages.
        class_index: (I, V, P), the classes whose maps are made.
        counted: (I, V, P), 1 for those whose logits are to rise, 0 for others and where a shorter row repeats a class.
        mirrored: of each of the V; empty for other images, whose maps are not looked at.
    """

    features: Tensor
    class_index: Tensor
    counted: Tensor
    mirrored: tuple[bool, ...]

    def rows(self, keep: Tensor) -> _Look:
        """Those of some of the fine-tunings."""
        return replace(
            self,
            features=self.features[keep],
            class_index=self.class_index[keep],
            counted=self.counted[keep],
        )


@dataclass(frozen=True, slots=True)
class _Tuner:
    """What all fine-tunings of a batch share; arguments as of `fine_tuned_maps`."""

    network: Network
    stages: LastStagesModule
    settings: FineTuning
    normalization: str
    size: tuple[int, int]
    autocast: torch.dtype | None

    def views_below(self, views: Iterable[tuple[Tensor, bool]]) -> list[tuple[Tensor, tuple[bool, ...]]]:
        """What goes into the last stages, (N, V, K', h', w'), and which are mirrored, for all views of a size."""
        by_size: dict[tuple[int, ...], list[tuple[Tensor, bool]]] = {}
        for view, mirrored in views:
            features = features_below(self.network, view, autocast=self.autocast)
            by_size.setdefault(tuple(view.shape[2:]), []).append((features, mirrored))
        return [
            (torch.stack([features for features, _ in same], dim=1), tuple(mirrored for _, mirrored in same))
            for same in by_size.values()
        ]

    def looks(
        self,
        below: Sequence[tuple[Tensor, tuple[bool, ...]]],
        tunings: Sequence[ClassTuning],
        keys: Sequence[int],
    ) -> list[_Look]:
        """What each fine-tuning looks at."""
        device = below[0][0].device
        images = torch.tensor([tuning.image for tuning in tunings], device=device)
        rows = padded([tuning.shown for tuning in tunings], [tuning.own for tuning in tunings], device)
        class_index, counted = (row.unsqueeze(1) for row in rows)
        looks = []
        for features, mirrored in below:
            every = (-1, len(mirrored), -1)
            looks.append(_Look(features[images], class_index.expand(every), counted.expand(every), mirrored))
        if self.settings.pool is not None and self.settings.others:
            looks.append(self._look_at_others(self.settings.pool, tunings, keys, device))
        return looks

    def _look_at_others(
        self,
        pool: OtherImages,
        tunings: Sequence[ClassTuning],
        keys: Sequence[int],
        device: torch.device,
    ) -> _Look:
        """Other images for each fine-tuning, B of them."""
        count = self.settings.others
        drawn = [pool.draw(keys[tuning.image] if keys else 0, tuning.own, count) for tuning in tunings]
        pixels = torch.from_numpy(np.concatenate([pixels for pixels, _ in drawn])).to(device)
        inputs = pool.preprocessing.normalized(pixels)  # (I * B, 3, S, S)
        features = features_below(self.network, inputs, autocast=self.autocast)
        labels = [row for _, every in drawn for row in every]
        rows = padded(labels, labels, device)
        each = len(tunings), count
        features, class_index, counted = (part.reshape(*each, *part.shape[1:]) for part in (features, *rows))
        return _Look(features, class_index, counted, mirrored=())

    def tune(self, looks: Sequence[_Look]) -> Tensor:
        """The maps (I, P, H, W) of I fine-tunings; those that are done early leave the others to themselves."""
        count, _, classes = looks[0].class_index.shape
        weights = stacked_weights(self.network, count)
        going = torch.arange(count, device=looks[0].features.device)
        total = torch.zeros(count, classes, *self.size, device=going.device)
        seen = torch.zeros(count, 1, 1, 1, device=going.device)
        for step in range(self.settings.steps + 1):
            last = step == self.settings.steps
            gradients, maps, logits = self._pass(weights, looks, learns=not last)
            total[going] += maps
            seen[going] += 1
            keep = ~self._done(step, maps, looks[0].counted[:, 0], logits)
            left = (
                0 if last else int(keep.count_nonzero())
            )  # the host decides what is done next: it has to know
            if not left:
                break
            if left < len(keep):
                going, looks = going[keep], [look.rows(keep) for look in looks]
                weights = {name: value[keep] for name, value in weights.items()}
                gradients = {name: value[keep] for name, value in gradients.items()}
            rates = self.settings.learning_rates(step)
            descend(weights, gradients, rates, self.settings.weight_decay)
        return NORMALIZATIONS[self.normalization](total / seen)

    def _pass(
        self, weights: Weights, looks: Sequence[_Look], *, learns: bool
    ) -> tuple[Weights, Tensor, Tensor]:
        """Gradients, the step's maps (I, P, H, W) and the summed logits (I,) of all looks, one size after another."""
        gradients: Weights = {}
        sums = torch.zeros(len(looks[0].features), device=looks[0].features.device)
        shown: list[Tensor] = []
        one = partial(_loss, self.stages, self.settings.tau)
        for look in looks:
            inputs = weights, (look.features, look.class_index, look.counted)
            if learns:
                found, (maps, logits) = vmap(grad(one, has_aux=True))(*inputs)
                gradients = {
                    name: gradients[name] + value if gradients else value for name, value in found.items()
                }
            elif look.mirrored:
                with torch.no_grad():
                    _, (maps, logits) = vmap(one)(*inputs)
            if look.mirrored:
                shown += [self._shown(maps[:, place], way) for place, way in enumerate(look.mirrored)]
                sums += logits
        total = torch.stack(shown).sum(dim=0)
        if self.settings.sum == "raw":
            return gradients, total, sums
        return gradients, averaged(total, len(shown), self.normalization), sums

    def _shown(self, maps: Tensor, mirrored: bool) -> Tensor:
        """The maps (I, P, h, w) of one view as they are summed: upright, (I, P, H, W)."""
        raw = self.settings.sum == "raw"
        cells = maps.relu() if raw else NORMALIZATIONS[self.normalization](maps)
        return upsample(cells.flip(3) if mirrored else cells, self.size)

    def _done(self, step: int, maps: Tensor, counted: Tensor, logits: Tensor) -> Tensor:
        """Which fine-tunings (I,) end with a step: their logits are high enough, or a map has spread."""
        done = logits > self.settings.stop_logit
        if step == 0:
            return done
        highest = maps.amax(dim=(-2, -1), keepdim=True).clamp(min=0)
        spread = (maps > self.settings.stop_level * highest).float().mean(dim=(-2, -1))  # (I, P)
        return done | (spread * counted > self.settings.stop_share).any(dim=1)


def _loss(
    stages: LastStagesModule, tau: float, weights: Weights, look: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The loss of one fine-tuning's views of one size, its maps (V, P, h, w) and its summed logit.

    Args:
        stages: the last two.
        tau: as of `FineTuning`.
        weights: of one copy.
        look: features (V, K', h', w'), class_index (V, P) and counted (V, P), as `_Look` has them.
    """
    features, class_index, counted = look
    own = {name: value for name, value in weights.items() if name not in {WEIGHT, BIAS}}
    with torch.autocast(features.device.type, enabled=False):
        feature_map = functional_call(stages, own, (features,))  # (V, K, h, w)
        maps = torch.einsum("vpk,vkhw->vphw", weights[WEIGHT][class_index], feature_map)
        logits = gndrp(maps, tau)  # (V, P)
        if BIAS in weights:
            logits = logits + weights[BIAS][class_index]
        total = (logits * counted).sum()
    return -total, (maps, total)
