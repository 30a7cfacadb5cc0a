"""Branched Entropy Weighting: intermediate features weighed by how certain a branch is of their class.

Wan et al., Information Entropy Based Feature Pooling for Convolutional Neural Networks, ICCV 2019, section 3.3 and
figure 3. Entropy Pooling itself stands in `wsloc.methods.ep`. The paper leaves open, and is decided here: batch norm
in the branch where the backbone has it; the branch's loss is the classification loss of its entropy-pooled logits,
weight 1.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.methods import ep
from wsloc.methods.ep import EntropyPooling, lambda_figures, pooled_logits, pooling_of
from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import Branch, Network, evaluating
from wsloc.networks.tasks import classification_loss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsloc.networks.network import Observation
    from wsloc.networks.tasks import LabelledBatch

MOST_LAYERS = 2  # "we use no more than two BEW layers"
NORMS = (nn.BatchNorm2d,)
DEFAULTS: dict[str, bool | int | float | str] = {**ep.DEFAULTS, "layers": MOST_LAYERS}
PRETRAINED = ep.PRETRAINED


class BranchedEntropyWeighting(nn.Module):
    """A BEW layer (figure 3): 1x1 convolution to half the channels, ReLU, 1x1 convolution to the classes.

    The localized logits of the branch give lambda by eq. 3, which the intermediate features are multiplied by.

    Args:
        channels: of the intermediate features.
        classes: C.
        batch_norm: whether a batch norm stands before the ReLU.
        pooling: of the branch's logits.
    """

    def __init__(self, channels: int, classes: int, *, batch_norm: bool, pooling: EntropyPooling) -> None:
        super().__init__()
        half = max(1, channels // 2)
        self.reduce = nn.Conv2d(channels, half, 1, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(half) if batch_norm else nn.Identity()
        self.classify = nn.Conv2d(half, classes, 1)
        self.pooling = pooling
        nn.init.kaiming_normal_(self.reduce.weight, nonlinearity="relu")

    def forward(self, features: Tensor, share: float = 1.0) -> tuple[Tensor, Branch]:
        """Weighed features, of the shape and type of `features` (N, K, h', w'), and what the branch says.

        Args:
            features: of an intermediate layer.
            share: how much of lambda is applied, 0-1.
        """
        reduced = F.relu(self.norm(self.reduce(features)))  # (N, K/2, h', w')
        weight = self.classify.weight.flatten(1)  # (C, K/2)
        logits, coefficients = self.pooling.weighed(reduced, weight, self.classify.bias, share)
        applied = (1 - share) + share * coefficients  # (N, h', w')
        return features * applied.unsqueeze(1).to(features.dtype), Branch(coefficients, logits)


class BranchedNetwork(Network):
    """A network whose intermediate features are weighed by BEW layers, from shallow to deep.

    The layers are kept in the model, as `bew`, so that its state dict holds them; the model's own forward pass
    does not know of them.

    Args:
        network: the network without them, on the CPU.
        layers: how many of the family's two places have one: 1 for the deeper, 2 for both.
        classes: C.
        pooling: of the branches' logits.

    Raises:
        UnsupportedError: if the paper names no places for such a network, or `layers` is not 1 or 2.
    """

    def __init__(self, network: Network, layers: int, classes: int, pooling: EntropyPooling) -> None:
        super().__init__(network.name, network.model, network.family)
        self.pooling = network.pooling
        if network.family.branch_places is None:
            raise UnsupportedError(
                f"{network.name} ({network.family.name}) has no places for BEW layers: take small_resnet, a ResNet, "
                "inception_v3, a VGG or vgg16_gap"
            )
        if not 1 <= layers <= MOST_LAYERS:
            raise UnsupportedError(f"layers: 1 or {MOST_LAYERS} BEW layers, not {layers}")
        places = network.family.branch_places(network.model)[-layers:]
        normed = any(isinstance(module, NORMS) for module in network.model.modules())
        self._places = places  # a tuple: not registered a second time
        network.model.bew = nn.ModuleList(
            BranchedEntropyWeighting(channels, classes, batch_norm=normed, pooling=pooling)
            for channels in self._channels()
        )

    @property
    def layers(self) -> list[BranchedEntropyWeighting]:
        """The BEW layers, from shallow to deep."""
        return list(cast("nn.ModuleList", self.model.bew))  # type: ignore[arg-type]  # of this one kind

    @property
    def branches(self) -> int:
        """How many BEW layers weigh its intermediate features."""
        return len(self._places)

    @contextmanager
    def branching(self, share: float = 1.0) -> Iterator[list[Branch]]:
        """Within the block, passes are weighed by the BEW layers: as `Network.branching`; hooks go with it."""
        seen: list[Branch] = []

        def weigh(layer: BranchedEntropyWeighting, _module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
            weighed, branch = layer(inputs[0], share)
            seen.append(branch)
            return cast("Tensor", weighed)

        with ExitStack() as hooks:
            for place, layer in zip(self._places, self.layers, strict=True):
                handle = place.register_forward_pre_hook(partial(weigh, layer))
                hooks.callback(handle.remove)
            yield seen

    @torch.no_grad()
    def _channels(self) -> list[int]:
        """Channels at each place, found by one small pass."""
        found: list[int] = []
        blank = torch.zeros(1, 3, self.family.smallest_input, self.family.smallest_input)
        with ExitStack() as hooks, evaluating(self.model):
            for place in self._places:
                handle = place.register_forward_pre_hook(
                    lambda _module, inputs: found.append(inputs[0].shape[1])
                )
                hooks.callback(handle.remove)
            self.head(self.features(blank))
        return found


activation_map = ep.activation_map  # lambda_c of the last feature map, eq. 5


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> Network:
    """The backbone with BEW layers at the paper's places (section 4.1), and Entropy Pooling where it has GAP.

    ResNet: before the third stage and before the last block; Inception v3: before Mixed_6a and Mixed_7c; VGG, whose
    fully connected layers stay: before the fourth and fifth pooling; VGG-GAP: before the fourth pooling and the
    last convolution; small_resnet: before its third stage and its last block.

    Args:
        backbone: a name of `available_backbones()`.
        classes: outputs.
        options: of `EntropyPooling`, and `layers` (1 or 2); `DEFAULTS` for what is not given.
        weights: None for random weights, `DEFAULT` for torchvision's (the branches are random).

    Raises:
        UnsupportedError: if there are no such places in the backbone, or an option is unknown or out of its range.
    """
    given = {**DEFAULTS, **(options or {})}
    layers = int(cast("int", given.pop("layers")))
    pooling = pooling_of(given)
    network = build_backbone(backbone, classes=classes, weights=weights)
    if network.has_linear_head:
        network = ep.with_entropy_pooling(network, pooling)
    return BranchedNetwork(network, layers, classes, pooling)


def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Classification losses of the network and of its branches, logits (N, C), and how each lambda fares."""
    deepest = cast("BranchedNetwork", network).layers[-1].pooling
    share = deepest.share(batch.progress) if network.training else 1.0
    with network.branching(share) as branches:
        feature_map = network.features(batch.images)  # (N, K, h, w)
        if network.pooling is None:
            logits, log = network.head(feature_map), dict[str, Tensor]()
        else:
            logits, log = pooled_logits(network, feature_map, batch)
    own = classification_loss(logits, batch.targets, batch.task)
    log["network_loss"] = own.detach()
    total = own
    for number, branch in enumerate(branches, start=1):
        value = classification_loss(branch.logits, batch.targets, batch.task)
        total = total + value
        log[f"bew{number}_loss"] = value.detach()
        log[f"bew{number}_lambda"] = lambda_figures(branch.entropy_weight)["mean_lambda"]
    return total, logits, log


def branch_map(_network: Network, observation: Observation, _class_index: Tensor, number: int) -> Tensor:
    """Lambda of BEW layer `number`, from 1, shallow to deep: (N, 1, h', w'), its own grid, 0-1; of no class."""
    return observation.branch_weights[number - 1].unsqueeze(1)
