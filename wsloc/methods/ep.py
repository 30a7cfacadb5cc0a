"""Entropy Pooling: a location counts as much as the network is certain of its class there.

Wan et al., Information Entropy Based Feature Pooling for Convolutional Neural Networks, ICCV 2019. Symbols:
v (N, K, h, w) the feature map, W (C, K) and b (C,) the classifier, u a cell, F_u = W v(u) + b its localized
logits, p_u = softmax(F_u). The paper's branches inside the trunk (section 3.3) stand in `wsloc.methods.bew`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import Localized, Network, Observation, class_maps
from wsloc.networks.tasks import classification_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.networks.tasks import LabelledBatch

SMALLEST_ENTROPY = 1e-6  # nats: below it every cell is certain, and the quotient would be noise
EQUAL_ENTROPIES = 1e-6  # relative spread below which all entropies count as equal
DEFAULTS: dict[str, bool | int | float | str] = {
    "detach_weights": False,
    "background_logit": False,
    "ramp": 0.0,
}
# At random initialisation lambda is about 0.001-0.005: to pretrained features that is as good as erasing them.
PRETRAINED: dict[str, bool | int | float | str] = {"ramp": 0.3}


def log_probabilities(localized_logits: Tensor, *, background_logit: bool = False) -> Tensor:
    """Log p_u (N, C, h, w) of localized logits (N, C, h, w); float32, autocast off.

    Args:
        localized_logits: W v(u) + b.
        background_logit: whether a logit of zero joins the softmax, as channel C of the result (N, C + 1, h, w):
            softmax is blind to a shift, so that a cell with one weak logit would rank as high as an object.
    """
    with torch.autocast(localized_logits.device.type, enabled=False):
        logits = localized_logits.float()
        if background_logit:
            logits = F.pad(logits, (0, 0, 0, 0, 0, 1))
        return F.log_softmax(logits, dim=1)


def entropy_weight(localized_logits: Tensor, *, background_logit: bool = False) -> Tensor:
    """The entropy weighting coefficients lambda (eqs. 2 and 3).

    `lambda(u) = 1 - H(u) / max_u H(u)`, H in nats; where all entropies of an image are equal (a 1 x 1 grid,
    a constant feature map) no cell is better than another, and lambda is 1 everywhere.

    Args:
        localized_logits: (N, C, h, w), W v(u) + b.
        background_logit: as `log_probabilities` takes it.

    Returns:
        (N, h, w), grid frame, 0-1, float32.
    """
    return _entropy_weight(log_probabilities(localized_logits, background_logit=background_logit))


def _entropy_weight(log_p: Tensor) -> Tensor:
    """Eqs. 2 and 3 from log p (N, C, h, w), float32."""
    with torch.autocast(log_p.device.type, enabled=False):
        entropy = -(log_p.exp() * log_p).sum(dim=1)  # (N, h, w)
        highest = entropy.amax(dim=(1, 2), keepdim=True)  # (N, 1, 1)
        lowest = entropy.detach().amin(dim=(1, 2), keepdim=True)
        equal = highest.detach() - lowest <= EQUAL_ENTROPIES * highest.detach()
        weight = (1 - entropy / highest.clamp_min(SMALLEST_ENTROPY)).clamp(0, 1)
        return weight.masked_fill(equal, 1.0)


class EntropyPooling(nn.Module):
    """Eq. 4 in place of global average pooling: `z = W (1/(hw) sum_u lambda(u) v(u)) + b`. No parameters.

    Args:
        detach_weights: whether gradients stop at lambda, which is then a mere weight.
        background_logit: as `log_probabilities` takes it.
        ramp: share of a training, 0-1, over which lambda is phased in; 0 for lambda from the first step, as the
            paper has it.

    Raises:
        UnsupportedError: if `ramp` is not in 0-1.
    """

    def __init__(
        self, *, detach_weights: bool = False, background_logit: bool = False, ramp: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 <= ramp <= 1:
            raise UnsupportedError(f"ramp is a share of the training in 0-1, not {ramp}")
        self.detach_weights = detach_weights
        self.background_logit = background_logit
        self.ramp = ramp

    def forward(self, feature_map: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w), in float32; gradients flow through lambda."""
        return self.weighed(feature_map, weight, bias)[0]

    def weighed(
        self, feature_map: Tensor, weight: Tensor, bias: Tensor | None, share: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Logits (N, C) and lambda (N, h, w), which gradients flow through unless it is detached.

        Args:
            feature_map: (N, K, h, w).
            weight: (C, K).
            bias: (C,) or None.
            share: how much of lambda is applied, 0-1: cells count (1 - share) + share * lambda.
        """
        logits, localized = self.localized(feature_map, weight, bias, share)
        return logits, localized.entropy_weight

    def localized(
        self, feature_map: Tensor, weight: Tensor, bias: Tensor | None, share: float = 1.0
    ) -> tuple[Tensor, Localized]:
        """Logits (N, C), and what they were pooled by; arguments as of `weighed`."""
        maps = class_maps(feature_map, weight)  # (N, C, h, w), without b: lambda must not pool it
        biased = maps if bias is None else maps + bias.float()[:, None, None]
        log_p = log_probabilities(biased, background_logit=self.background_logit)
        coefficients = _entropy_weight(log_p)  # (N, h, w)
        if self.detach_weights:
            coefficients = coefficients.detach()
        applied = (1 - share) + share * coefficients
        # mean_u lambda(u) F_u as one batched product: no copy of the maps.
        flat = maps.flatten(2)  # (N, C, h * w)
        pooled = torch.bmm(flat, applied.flatten(1).unsqueeze(2)).squeeze(2) / flat.shape[2]  # (N, C)
        return (pooled if bias is None else pooled + bias.float()), Localized(log_p, coefficients)

    def share(self, progress: float) -> float:
        """How much of lambda is applied when so much of a training is done (both 0-1)."""
        return 1.0 if self.ramp == 0 else min(1.0, progress / self.ramp)


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> Network:
    """The backbone with Entropy Pooling in place of its global average pooling.

    Args:
        backbone: a name of `available_backbones()` with a pooled linear head.
        classes: outputs.
        options: of `EntropyPooling`; `DEFAULTS` for what is not given.
        weights: None for random weights, `DEFAULT` for torchvision's.

    Raises:
        UnsupportedError: if the backbone's head is not pooling and one linear layer, or an option is unknown or
            out of its range.
    """
    pooling = pooling_of(options)
    return with_entropy_pooling(build_backbone(backbone, classes=classes, weights=weights), pooling)


def pooling_of(options: Mapping[str, object] | None) -> EntropyPooling:
    """The pooling that a method's options describe.

    Raises:
        UnsupportedError: if an option is unknown or out of its range.
    """
    given = {**DEFAULTS, **(options or {})}
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise UnsupportedError(f"unknown option {unknown[0]!r}: known are {', '.join(DEFAULTS)}")
    return EntropyPooling(
        detach_weights=bool(given["detach_weights"]),
        background_logit=bool(given["background_logit"]),
        ramp=float(cast("float", given["ramp"])),
    )


def with_entropy_pooling(network: Network, pooling: EntropyPooling | None = None) -> Network:
    """The same weights under Entropy Pooling: for a network trained with GAP this is the paper's *EP inference*.

    The given network is left as it is; modules are shared, not copied.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    network.linear()  # the check
    pooled = Network(network.name, network.model, network.family)
    pooled.pooling = pooling or EntropyPooling()
    pooled.training = network.training  # not train(): it would reach shared layers that are frozen on purpose
    return pooled


def observe_pooled(network: Network, feature_map: Tensor) -> Observation:
    """What a network from `with_entropy_pooling` makes of a feature map (N, K, h, w), its maps' ground included."""
    pooling = cast("EntropyPooling", network.pooling)
    logits, localized = pooling.localized(feature_map, *network.linear())
    return Observation(feature_map, logits, localized=localized)


def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Classification loss, logits (N, C), and how lambda fares.

    Logged are `mean_lambda` and `equal_entropies`, the share of images whose entropies are all equal, where lambda
    says nothing.
    """
    feature_map = network.features(batch.images)  # (N, K, h, w)
    logits, log = pooled_logits(network, feature_map, batch)
    return classification_loss(logits, batch.targets, batch.task), logits, log


def pooled_logits(
    network: Network, feature_map: Tensor, batch: LabelledBatch
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits (N, C) of a network with Entropy Pooling in training, and what to log of lambda."""
    pooling = cast("EntropyPooling", network.pooling)
    share = pooling.share(batch.progress) if network.training else 1.0
    logits, coefficients = pooling.weighed(feature_map, *network.linear(), share=share)
    return logits, lambda_figures(coefficients)


def lambda_figures(coefficients: Tensor) -> dict[str, Tensor]:
    """What to log of lambda (N, h, w): its mean, and the share of images where it is 1 everywhere."""
    coefficients = coefficients.detach()
    equal = coefficients.amin(dim=(1, 2)) == 1  # (N,): the cell of the highest entropy has 0 in all others
    return {"mean_lambda": coefficients.mean(), "equal_entropies": equal.float().mean()}


def entropy_map(network: Network, observation: Observation, _class_index: Tensor) -> Tensor:
    """Lambda of eq. 3: (N, 1, h, w), grid frame, 0-1; it carries no class.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    return _localized(network, observation).entropy_weight.unsqueeze(1)


def activation_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """Class-specific entropy maps `lambda_c(u) = lambda(u) p_u(c)` (eq. 5).

    Args:
        network: with a pooled linear head, trained with EP or not.
        observation: of N images.
        class_index: (N, P), the classes explained.

    Returns:
        (N, P, h, w), grid frame, 0-1.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    localized = _localized(network, observation)
    log_p = localized.log_probabilities  # (N, C, h, w)
    rows = torch.arange(len(log_p), device=log_p.device)[:, None]
    return localized.entropy_weight.unsqueeze(1) * log_p[rows, class_index].exp()


def top5_map(network: Network, observation: Observation, _class_index: Tensor) -> Tensor:
    """lambda_top5 (section 4.3): lambda_c summed over the min(5, C) classes of the highest logits.

    Returns:
        (N, 1, h, w), grid frame, 0-1: one map, and so one box, for all five guesses.

    Raises:
        UnsupportedError: if the network's head is not pooling and one linear layer.
    """
    best = observation.logits.topk(min(5, observation.logits.shape[1]), dim=1).indices  # (N, 5)
    return activation_map(network, observation, best).sum(dim=1, keepdim=True).clamp(max=1)


def _localized(network: Network, observation: Observation) -> Localized:
    """Log p_u (N, C, h, w), with the background's where the network was trained with one, and lambda."""
    if observation.localized is not None:
        return observation.localized
    background = isinstance(network.pooling, EntropyPooling) and network.pooling.background_logit
    maps = class_maps(observation.feature_map, *network.linear())
    log_p = log_probabilities(maps, background_logit=background)
    return Localized(log_p, _entropy_weight(log_p))
