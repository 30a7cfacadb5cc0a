"""One paper, one file. `METHODS` holds what can be trained, `MAPS` what can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from wsloc.methods import cam, ep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from wsloc.networks.network import Network, Observation


class Method(Protocol):
    """The three questions that every method file answers under the same names."""

    DEFAULTS: dict[str, bool | int | float | str]

    def build(
        self,
        backbone: str,
        classes: int,
        options: Mapping[str, object] | None = None,
        weights: str | None = None,
    ) -> Network:
        """How the network is built."""

    def loss(
        self, network: Network, images: Tensor, targets: Tensor, task: str
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What it is trained on: (loss, logits, what to log)."""

    def activation_map(self, network: Network, observation: Observation, class_index: Tensor, /) -> Tensor:
        """What it shows: (N, P, h, w) for classes (N, P)."""


METHODS: dict[str, Method] = {"gap": cam, "ep": ep}


@dataclass(frozen=True, slots=True)
class MapKind:
    """An activation map that can be asked for by name.

    Attributes:
        activation_map: (network, observation of N images, class_index (N, P)) -> (N, P, h, w), or (N, 1, h, w)
            for a map that all classes share.
        box_rule: `mass` or `threshold`, unless the user says otherwise.
        normalization: key of `NORMALIZATIONS`, unless the user says otherwise.
        per_class: whether there is a map a class; a shared map gives one box for all guesses.
        needs_linear_head: whether it is exact only for pooling and one linear layer.
        needs_gradient: whether it differentiates the logits.
        entropy_pooled: whether the classes, too, come from entropy-pooled logits (EP inference).
    """

    activation_map: Callable[[Network, Observation, Tensor], Tensor]
    box_rule: str
    normalization: str
    per_class: bool = True
    needs_linear_head: bool = True
    needs_gradient: bool = False
    entropy_pooled: bool = False


MAPS: dict[str, MapKind] = {
    "entropy-class": MapKind(ep.activation_map, "mass", "none", entropy_pooled=True),
    "entropy-top5": MapKind(ep.top5_map, "mass", "none", entropy_pooled=True, per_class=False),
    "entropy": MapKind(ep.entropy_map, "mass", "none", entropy_pooled=True, per_class=False),
    "cam": MapKind(cam.activation_map, "threshold", "max"),
    "gradcam": MapKind(cam.grad_cam, "threshold", "max", needs_linear_head=False, needs_gradient=True),
}
