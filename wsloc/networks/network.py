"""A classifier cut in two where its last feature map stands: trunk -> feature_map -> head -> logits."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.precision import autocasting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class LastStages:
    """The deepest two stages of a trunk, on their own: what is fine-tuned where the rest stays as it is.

    Attributes:
        below: (model, images (N, 3, H, W)) -> what goes into them.
        above: (model, what went into them) -> feature_map (N, K, h, w), the family's own.
        parts: dotted names of the modules that `above` runs, from shallow to deep.
    """

    below: Callable[[nn.Module, Tensor], Tensor]
    above: Callable[[nn.Module, Tensor], Tensor]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """How the networks of one architecture family are cut.

    Attributes:
        name: the family's name, as the README's table has it.
        features: (model, images (N, 3, H, W)) -> feature_map (N, K, h, w), the last one before any pooling.
        head: (model, feature_map) -> logits (N, C).
        linear: model -> its one Linear or 1x1 convolution, if the head is nothing but global average pooling
            (with or without dropout) and that layer; None otherwise.
        stride: input pixels a cell of the feature map, per side.
        smallest_input: the smallest input side, in pixels, that the network accepts.
        stages: names of the parts that halve the grid and can be dilated instead, from shallow to deep.
        branch_places: model -> the two layers, from shallow to deep, whose inputs a BEW layer may weigh; None
            where the paper names none for such a network.
        last_stages: the deepest two stages, which RIB fine-tunes; None where they have no names of their own.
    """

    name: str
    features: Callable[[nn.Module, Tensor], Tensor]
    head: Callable[[nn.Module, Tensor], Tensor]
    linear: Callable[[nn.Module], nn.Module] | None
    stride: int
    smallest_input: int = 32
    stages: tuple[str, ...] = ()
    branch_places: Callable[[nn.Module], tuple[nn.Module, nn.Module]] | None = None
    last_stages: LastStages | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """What a BEW layer made of a batch.

    Attributes:
        entropy_weight: lambda (N, h', w'), on the layer's own grid, 0-1.
        logits: (N, C), the branch's own.
    """

    entropy_weight: Tensor
    logits: Tensor


@dataclass(frozen=True, slots=True)
class Localized:
    """What Entropy Pooling finds at every cell on its way to the logits: its maps need not find it again.

    Attributes:
        log_probabilities: (N, C, h, w), or (N, C + 1, h, w) with a background logit: log p_u.
        entropy_weight: lambda (N, h, w), 0-1.
    """

    log_probabilities: Tensor
    entropy_weight: Tensor


@dataclass(frozen=True, slots=True)
class Observation:
    """What a network made of a batch.

    Attributes:
        feature_map: (N, K, h, w), the cut between trunk and head.
        logits: (N, C), float32; differentiable down to `feature_map` if that was asked for.
        branch_weights: (N, h', w') of each BEW layer, from shallow to deep: lambda, 0-1, each on its own grid.
        draw_keys: numbers that tell each image, and how it is looked at, from others: what random maps of it are
            drawn from. Without any, all images have the same draws.
        localized: what the logits were pooled by, where it was kept.
    """

    feature_map: Tensor
    logits: Tensor
    branch_weights: tuple[Tensor, ...] = ()
    draw_keys: tuple[tuple[int, ...], ...] = ()
    localized: Localized | None = None


class Network(nn.Module):
    """A classifier that shows its feature map; the same module, under its own parameter names, in two steps.

    Attributes:
        name: the backbone's name (`resnet50`, `small_resnet`).
        model: the classifier itself, unchanged.
        family: how it is cut.
        pooling: what stands in place of global average pooling, `(feature_map, weight, bias) -> logits`, or None
            for the model's own head. Set by methods (Entropy Pooling).
    """

    def __init__(self, name: str, model: nn.Module, family: Family) -> None:
        super().__init__()
        self.name = name
        self.model = model
        self.family = family
        self.pooling: nn.Module | None = None

    @property
    def stride(self) -> int:
        """Input pixels a cell of the feature map, per side."""
        return self.family.stride

    @property
    def has_linear_head(self) -> bool:
        """Whether the head is global average pooling and one linear layer, so that CAM and EP are exact."""
        return self.family.linear is not None

    def linear(self) -> tuple[Tensor, Tensor | None]:
        """Weight (C, K) and bias (C,) of the pooled linear head.

        Raises:
            UnsupportedError: if the head is anything else than pooling and one linear layer.
        """
        if self.family.linear is None:
            raise UnsupportedError(
                f"{self.name} ({self.family.name}) has no pooled linear head, so CAM and entropy maps would not "
                "be exact: use --map gradcam, or a backbone with pooling and one linear layer (see the README's table)"
            )
        layer = self.family.linear(self.model)
        weight = cast("Tensor", layer.weight).flatten(1)  # (C, K), a 1x1 convolution too
        return weight, cast("Tensor | None", layer.bias)

    @property
    def attended_layer(self) -> str:
        """Dotted name of the layer that it was trained to be explained at; "" for the last feature map."""
        return ""

    @property
    def branches(self) -> int:
        """How many BEW layers weigh its intermediate features."""
        return 0

    @contextmanager
    def branching(self, share: float = 1.0) -> Iterator[list[Branch]]:
        """Within the block, passes are weighed by the network's BEW layers, if it has any.

        Args:
            share: how much of lambda is applied, 0-1: features are multiplied by (1 - share) + share * lambda.

        Yields:
            What the layers made of each pass, from shallow to deep.
        """
        del share
        yield []

    def features(self, images: Tensor) -> Tensor:
        """Feature map (N, K, h, w) of normalised images (N, 3, H, W), before any pooling."""
        return self.family.features(self.model, images)

    def head(self, feature_map: Tensor) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w)."""
        if self.pooling is not None:
            return cast("Tensor", self.pooling(feature_map, *self.linear()))
        return self.family.head(self.model, feature_map)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of normalised images (N, 3, H, W)."""
        with self.branching():
            return self.head(self.features(images))

    def observe(
        self, images: Tensor, *, differentiable: bool, autocast: torch.dtype | None = None
    ) -> Observation:
        """One forward pass that keeps the feature map; the trunk builds no graph, the head only on request.

        Args:
            images: normalised, (N, 3, H, W).
            differentiable: whether logits are to be differentiated by the feature map (Grad-CAM).
            autocast: what the trunk runs in, a value of `PRECISIONS`; the head is float32 in any case.
        """
        with self.branching() as branches:
            with torch.no_grad(), autocasting(images.device.type, autocast):
                feature_map = self.features(images).float()  # (N, K, h, w)
            with torch.set_grad_enabled(differentiable), torch.autocast(images.device.type, enabled=False):
                feature_map = feature_map.detach().requires_grad_(differentiable)
                logits = self.head(feature_map)  # (N, C)
        return Observation(feature_map, logits, tuple(branch.entropy_weight.detach() for branch in branches))


def class_maps(feature_map: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The linear head at every cell: (N, C, h, w) = W v(u) + b, one 1x1 convolution, in float32.

    Args:
        feature_map: (N, K, h, w).
        weight: (C, K).
        bias: (C,) or None to leave it out.
    """
    with torch.autocast(feature_map.device.type, enabled=False):
        bias = None if bias is None else bias.float()
        return F.conv2d(feature_map.float(), weight.float()[:, :, None, None], bias)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block, for a module of the user's own too; each layer gets its mode back."""
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def weights_digest(model: nn.Module) -> str:
    """SHA-256, in hexadecimal, of a model's weights and buffers, with their names."""
    found = hashlib.sha256()
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            found.update(f"{name} {value.dtype} {tuple(value.shape)}\0".encode())
            found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
