"""GAIN: Grad-CAM as a part of the training, guided by what the network still finds where it does not look.

Li et al., Guided Attention Inference Network, TPAMI 2020 (Tell Me Where to Look, CVPR 2018).
Symbols: f (N, K, h, w) a layer's features, s^c the logit of class c, A^c the attention, T(A^c) its soft mask, I the
normalised image, H^c a mask and B^c boxes of the class, S a saliency map, alpha and omega the weights of the losses.

    w_k^c  = GAP(d s^c / d f_k)                            eq. 1
    A^c    = ReLU(sum_k w_k^c f_k)                         eq. 2, differentiable in f (and in w: `second_order`)
    I*c    = I - T(A^c) I                                  eq. 3
    T(A)   = sigmoid(mask_scale (A - mask_threshold))      eq. 4
    L_am   = 1/n sum_c s^c(I*c)                            eq. 5
    L_p    = 1/n sum_c (A^c - H^c)^2                       eq. 7
    L_bbox = 1/n sum_c ((1 - B^c) A^c)^2 + (B^c (A^c - S))^2   eq. 9
    L      = L_cl + alpha L_am + omega (L_p + L_bbox)      eqs. 6, 8

Decisions that the paper leaves open: A is divided by its maximum before it meets T, H, B or S; s^c in L_am is a
probability; the losses are means over classes and cells, then over the images that have them. The second pass runs on
the running statistics of batch norm. It shares the weights in the paper; here they get no gradient from it unless
`freeze_mining_stream` is off, since a network that may change both learns to say nothing of masked pictures.
docs/gain.md has what each of this is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from wsloc.errors import UnsupportedError
from wsloc.methods.cam import grad_cam
from wsloc.networks.backbones import build_backbone
from wsloc.networks.hooked import layer_named
from wsloc.networks.map_operations import class_gradients
from wsloc.networks.network import Network, evaluating
from wsloc.networks.soft_masks import FILLS, NORMALIZATIONS, normalized, soft_mask
from wsloc.networks.tasks import SINGLE_LABEL, classification_loss, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsloc.networks.tasks import ExtraBatch, LabelledBatch


@dataclass(frozen=True, slots=True)
class Guidance:
    """How the attention is guided in training; at inference nothing of it counts but the layer.

    Attributes:
        layer: dotted name of the layer whose features f are; "" for the last feature map.
        mining_weight: alpha, 1 in the paper; 0 leaves the second pass out.
        mining_start: share of the training, 0-1, after which L_am counts.
        mining_score: of `MINING_SCORES`: what of the masked pictures' logits is made small.
        freeze_mining_stream: whether the second pass is held fixed, so that only the mask learns from it.
        second_order: whether the channel weights w are differentiated, too.
        attention_norm: `max` (A / max A) or `minmax` (its range stretched to 0-1).
        mask_scale: steepness of T.
        mask_threshold: share of A's maximum where T is 1/2.
        mask_fill: of `FILLS`: what the mask puts in the picture's place.
        extra_weight: omega, 10 in the paper.
        boxes_as_masks: whether boxes are compared by L_p as if they were masks (section 5.2).

    Raises:
        UnsupportedError: if one is unknown or out of its range.
    """

    layer: str = ""
    mining_weight: float = 0.3
    mining_start: float = 0.0
    mining_score: str = "probability"
    freeze_mining_stream: bool = True
    second_order: bool = True
    attention_norm: str = "max"
    mask_scale: float = 10.0
    mask_threshold: float = 0.5
    mask_fill: str = "zero"
    extra_weight: float = 3.0
    boxes_as_masks: bool = False

    def __post_init__(self) -> None:
        for name, known in (
            ("mining_score", MINING_SCORES),
            ("attention_norm", NORMALIZATIONS),
            ("mask_fill", FILLS),
        ):
            if getattr(self, name) not in known:
                raise UnsupportedError(
                    f"unknown {name} {getattr(self, name)!r}: choose one of {', '.join(known)}"
                )
        for name, least, most in (
            ("mining_weight", 0, 1000),
            ("mining_start", 0, 1),
            ("mask_scale", 0, 1000),
            ("mask_threshold", 0, 1),
            ("extra_weight", 0, 10_000),
        ):
            if not least <= getattr(self, name) <= most:
                raise UnsupportedError(
                    f"{name} is a number from {least} to {most}, not {getattr(self, name)}"
                )


class GainNetwork(Network):
    """A network whose attention is guided in training; for everything else it is the backbone.

    Args:
        network: any; its modules are taken over.
        guidance: of its training.

    Raises:
        UnsupportedError: if the network has no layer of the guidance's name.
    """

    def __init__(self, network: Network, guidance: Guidance) -> None:
        super().__init__(network.name, network.model, network.family)
        self.guidance = guidance
        if guidance.layer:
            layer_named(self.model, guidance.layer, self.name)

    @property
    def attended_layer(self) -> str:
        """Dotted name of the layer that is explained; "" for the last feature map."""
        return self.guidance.layer

    def attended(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The features f (N, K, h, w) that are attended to, and the logits (N, C), of one graph.

        Raises:
            UnsupportedError: if the layer gives no feature map (N, K, h, w).
        """
        if not self.guidance.layer:
            feature_map = self.features(images)
            return feature_map, self.head(feature_map)
        seen: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: object, output: object) -> Tensor:
            if not isinstance(output, Tensor) or output.ndim != 4:
                raise UnsupportedError(f"the layer {self.guidance.layer} gives no feature map (N, K, h, w)")
            seen.append(output)
            return output.clone()  # the next layer may work in place

        layer = layer_named(self.model, self.guidance.layer, self.name)
        handle = layer.register_forward_hook(keep)
        try:
            logits = self(images)
        finally:
            handle.remove()
        if not seen:
            raise UnsupportedError(f"the layer {self.guidance.layer} is not reached by a forward pass")
        return seen[-1], logits


def _log_complement(logits: Tensor, task: str) -> Tensor:
    """-log(1 - p), from the logits: it does not saturate where p is near 1."""
    if task != SINGLE_LABEL:
        return F.softplus(logits)
    return -torch.log1p(-probabilities(logits, task).clamp(max=1 - 1e-6))


def _softplus(logits: Tensor, _task: str) -> Tensor:
    return F.softplus(logits)


MINING_SCORES: dict[str, Callable[[Tensor, str], Tensor]] = {
    "probability": probabilities,
    "softplus": _softplus,
    "log": _log_complement,
}


DEFAULTS: dict[str, bool | int | float | str] = {
    entry.name: cast("bool | float | str", entry.default) for entry in fields(Guidance)
}
PRETRAINED: dict[str, bool | int | float | str] = {}

activation_map = grad_cam  # at inference GAIN is an ordinary network


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> GainNetwork:
    """The backbone as it is, with the guidance of its training.

    Args:
        backbone: a name of `available_backbones()`.
        classes: outputs.
        options: of `Guidance`.
        weights: None for random weights, `DEFAULT` for torchvision's.

    Raises:
        UnsupportedError: if an option is unknown or out of its range, or the backbone lacks the layer.
    """
    unknown = sorted(set(options or {}) - set(DEFAULTS))
    if unknown:
        raise UnsupportedError(f"unknown option {unknown[0]!r}: known are {', '.join(DEFAULTS)}")
    guidance = Guidance(**cast("dict[str, Any]", options or {}))
    return GainNetwork(build_backbone(backbone, classes=classes, weights=weights), guidance)


def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The whole loss (eqs. 6 and 8), logits (N, C) and its parts, by the paper's names.

    Images with extra supervision go through the network together with the others and count for L_p and L_bbox alone.
    Where nothing can be differentiated (validation) the loss is L_cl. `empty_supervised` is the share of the attention
    under supervision that is zero everywhere.

    Args:
        network: a `GainNetwork`.
        batch: with or without extra images.
    """
    network = cast("GainNetwork", network)
    guidance, extra = network.guidance, batch.extra
    if not torch.is_grad_enabled():
        logits = network(batch.images)
        return classification_loss(logits, batch.targets, batch.task), logits, {}
    images = batch.images if extra is None else torch.cat((batch.images, extra.images))  # (N + E, 3, S, S)
    class_index, present = _own_classes(batch)  # (N, P)
    count = len(batch.images)
    mined = guidance.mining_weight > 0 and batch.progress >= guidance.mining_start
    wanted = class_index if extra is None else _stacked(class_index, extra.class_index.clamp_min(0))
    feature_map, logits = network.attended(images)
    total = classification_loss(logits[:count], batch.targets, batch.task)
    logs = {"L_cl": total.detach()}
    if mined or extra is not None:
        maps = attention(feature_map, logits, wanted, second_order=guidance.second_order)  # (N + E, P, h, w)
        if mined:
            mining, logged = mining_loss(network, batch, maps[:count], class_index, present)
            total = total + guidance.mining_weight * mining
            logs |= logged
        if extra is not None:
            supervised = maps[count:, : extra.class_index.shape[1]]  # (E, Q, h, w)
            logs["empty_supervised"] = _empty_share(supervised, extra.class_index >= 0)
            shown = normalized(supervised, guidance.attention_norm)
            for name, part in extra_losses(shown, extra, boxes_as_masks=guidance.boxes_as_masks).items():
                total = total + guidance.extra_weight * part
                logs[name] = part.detach()
    return total, logits[:count], logs


def attention(
    feature_map: Tensor, logits: Tensor, class_index: Tensor, *, second_order: bool = False
) -> Tensor:
    """A^c (eqs. 1 and 2), in the graph of the features.

    Args:
        feature_map: (N, K, h, w), in the graph of the logits, which is kept.
        logits: (N, C).
        class_index: (N, P), int64.
        second_order: whether the channel weights are in the graph, too; else they are constants.

    Returns:
        (N, P, h, w), >= 0, float32.
    """
    gradients = class_gradients(logits, feature_map, class_index, keep_graph=True, second_order=second_order)
    channel_weights = gradients.mean(dim=(-2, -1))  # (N, P, K)
    with torch.autocast(feature_map.device.type, enabled=False):
        return torch.einsum("npk,nkhw->nphw", channel_weights, feature_map.float()).relu()


def mining_loss(
    network: GainNetwork, batch: LabelledBatch, maps: Tensor, class_index: Tensor, present: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_am (eq. 5), one masked copy a pair of image and class, all in one pass.

    A pair whose attention is zero everywhere is left out: its mask would erase nothing.

    Args:
        network: whose second pass is in evaluation mode; modes, statistics and `.grad` are left as they are.
        batch: N images.
        maps: A^c (N, P, h, w).
        class_index: (N, P).
        present: bool (N, P), which of them are the image's.

    Returns:
        The mean over images of the mean over their classes, and what is logged: `L_am`, `masked_share` (mean of T),
        `mining_score` (mean probability of the masked class), `empty_attention` (share of pairs left out) and
        `mask_gradient` (the norm of d L_am / d T, known after the backward pass).
    """
    guidance = network.guidance
    rows, places = present.nonzero(as_tuple=True)  # (M,)
    attended = maps[rows, places]  # (M, h, w)
    alive = (attended.detach().amax(dim=(1, 2)) > 0).float()  # (M,)
    size = (batch.images.shape[2], batch.images.shape[3])
    shown = normalized(attended, guidance.attention_norm)
    mask = soft_mask(shown, size, guidance.mask_scale, guidance.mask_threshold)  # (M, 1, H, W)
    gradient_norm = maps.new_zeros(())
    if mask.requires_grad:

        def note(gradient: Tensor) -> None:
            gradient_norm.copy_(gradient.norm())

        # A tensor's hook: it goes with the graph.
        mask.register_hook(note)  # type: ignore[no-untyped-call]  # torch ships no annotation for it
    images = batch.images[rows]  # (M, 3, H, W)
    masked = images - mask * (images - FILLS[guidance.mask_fill](images))  # eq. 3
    logits = _second_pass(network, masked).float()  # (M, C)
    own = class_index[rows, places].unsqueeze(1)  # (M, 1)
    scores = MINING_SCORES[guidance.mining_score](logits, batch.task).gather(1, own).squeeze(1)  # (M,)
    mining = _mean_of_means(scores, alive, rows, len(batch.images))
    pairs = max(len(rows), 1)
    return mining, {
        "L_am": mining.detach(),
        "masked_share": mask.detach().mean() if len(rows) else mining.detach(),
        "mining_score": probabilities(logits.detach(), batch.task).gather(1, own).sum() / pairs,
        "empty_attention": (1 - alive).sum() / pairs,
        "mask_gradient": gradient_norm,
    }


def _second_pass(network: GainNetwork, images: Tensor) -> Tensor:
    """Logits (M, C) on running statistics and without dropout; under a frozen stream no parameter is in the graph."""
    with evaluating(network):
        if not network.guidance.freeze_mining_stream:
            return cast("Tensor", network(images))
        constants = {name: value.detach() for name, value in network.named_parameters()}
        return cast("Tensor", functional_call(network, constants, (images,)))


def _mean_of_means(values: Tensor, weights: Tensor, rows: Tensor, count: int) -> Tensor:
    """Mean over images of the mean over each one's values (M,) of weight 1; 0 where there are none."""
    sums = values.new_zeros(count).index_add(0, rows, values * weights)  # (N,)
    counts = values.new_zeros(count).index_add(0, rows, weights)
    means = sums / counts.clamp_min(1)
    return means.sum() / (counts > 0).sum().clamp_min(1)


def extra_losses(shown: Tensor, extra: ExtraBatch, *, boxes_as_masks: bool = False) -> dict[str, Tensor]:
    """L_p (eq. 7) of the images with masks and L_bbox (eq. 9) of those with boxes; 0 where there are none.

    Regions are averaged over each cell, their void left out; cells that are void altogether, and classes of which a
    crop has left nothing, do not count.

    Args:
        shown: attention (E, P, h, w), 0-1.
        extra: the images' supervision.
        boxes_as_masks: whether boxes, too, are compared by L_p.

    Returns:
        `L_p` and `L_bbox`, scalars.
    """
    size = (shown.shape[2], shown.shape[3])
    void = extra.regions == 255
    known = F.adaptive_avg_pool2d((~void).float(), size)  # (E, P, h, w), share of a cell
    region = F.adaptive_avg_pool2d((extra.regions == 1).float(), size) / known.clamp_min(1e-6)
    counted = (known > 0) & (region.sum(dim=(2, 3), keepdim=True) > 0)
    counted &= (extra.class_index >= 0)[:, :, None, None]
    saliency = F.adaptive_avg_pool2d(extra.saliency.unsqueeze(1), size)  # (E, 1, h, w)
    by_box = extra.is_box & (not boxes_as_masks)  # (E,)
    parts = {
        "L_p": ((shown - region).square(), ~by_box),
        "L_bbox": (
            ((1 - region) * shown).square() + (region * (shown - saliency)).square(),
            by_box,
        ),
    }
    return {
        name: _mean_over(cells, counted & used[:, None, None, None]) for name, (cells, used) in parts.items()
    }


def _mean_over(cells: Tensor, counted: Tensor) -> Tensor:
    """Mean over each image's counted cells (E, P, h, w), then over the images that have any; else 0."""
    counts = counted.sum(dim=(1, 2, 3))  # (E,)
    means = (cells * counted).sum(dim=(1, 2, 3)) / counts.clamp_min(1)
    return means.sum() / (counts > 0).sum().clamp_min(1)


def _own_classes(batch: LabelledBatch) -> tuple[Tensor, Tensor]:
    """The images' classes (N, P), int64, and which of these places are taken, bool (N, P)."""
    if batch.task == SINGLE_LABEL:
        class_index = batch.targets.argmax(dim=1, keepdim=True)
        return class_index, torch.ones_like(class_index, dtype=torch.bool)
    most = max(int(batch.targets.sum(dim=1).max()), 1)
    values, class_index = batch.targets.topk(most, dim=1)
    return class_index, values > 0


def _empty_share(maps: Tensor, counted: Tensor) -> Tensor:
    """Share of the counted maps (E, Q, h, w) that are zero everywhere: the ReLU lets no gradient through to them."""
    empty = (maps.detach().amax(dim=(2, 3)) <= 0) & counted
    return empty.sum() / counted.sum().clamp_min(1)


def _stacked(first: Tensor, second: Tensor) -> Tensor:
    """Class indices (N, P) above others (E, Q): (N + E, max(P, Q)), filled up with class 0."""
    most = max(first.shape[1], second.shape[1])
    return torch.cat([F.pad(part, (0, most - part.shape[1])) for part in (first, second)])
