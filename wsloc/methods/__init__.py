"""One paper, one file. `METHODS` holds what can be trained, `MAPS` what can be shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from wsloc.errors import UnsupportedError
from wsloc.methods import bew, cam, ep, ficklenet, gain, rib
from wsloc.networks.stacked_copies import require_last_stages

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from wsloc.networks.network import Network, Observation
    from wsloc.networks.tasks import LabelledBatch


class Method(Protocol):
    """The three questions that every method file answers under the same names, and the options it has.

    Attributes:
        DEFAULTS: its options, as `build` takes them.
        PRETRAINED: those that have another default where a training starts from pretrained weights.
    """

    DEFAULTS: dict[str, bool | int | float | str]
    PRETRAINED: dict[str, bool | int | float | str]

    def build(
        self,
        backbone: str,
        classes: int,
        options: Mapping[str, object] | None = None,
        weights: str | None = None,
    ) -> Network:
        """How the network is built."""

    def loss(self, network: Network, batch: LabelledBatch, /) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What it is trained on: (loss, logits, what to log)."""

    def activation_map(self, network: Network, observation: Observation, class_index: Tensor, /) -> Tensor:
        """What it shows: (N, P, h, w) for classes (N, P)."""


METHODS: dict[str, Method] = {"gap": cam, "ep": ep, "bew": bew, "ficklenet": ficklenet, "gain": gain}


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
        branch: which BEW layer it is of, from 1; 0 for the last feature map.
        stochastic: whether it is drawn at random, by FickleNet's head.
        fine_tuned: whether the network is fine-tuned on each image, by RIB, and `activation_map` is that of one step
            and view.
    """

    activation_map: Callable[[Network, Observation, Tensor], Tensor]
    box_rule: str
    normalization: str
    per_class: bool = True
    needs_linear_head: bool = True
    needs_gradient: bool = False
    entropy_pooled: bool = False
    branch: int = 0
    stochastic: bool = False
    fine_tuned: bool = False

    @property
    def keyed(self) -> bool:
        """Whether something is drawn for it, by the image's key."""
        return self.stochastic or self.fine_tuned


def _of_branch(number: int) -> MapKind:
    shown = partial(bew.branch_map, number=number)
    return MapKind(shown, "mass", "none", per_class=False, needs_linear_head=False, branch=number)


def _drawn(activation_map: Callable[[Network, Observation, Tensor], Tensor]) -> MapKind:
    return MapKind(activation_map, "threshold", "none", needs_linear_head=False, stochastic=True)


MAPS: dict[str, MapKind] = {
    "entropy-class": MapKind(ep.activation_map, "mass", "none", entropy_pooled=True),
    "entropy-top5": MapKind(ep.top5_map, "mass", "none", entropy_pooled=True, per_class=False),
    "entropy": MapKind(ep.entropy_map, "mass", "none", entropy_pooled=True, per_class=False),
    "entropy-bew1": _of_branch(1),
    "entropy-bew2": _of_branch(2),
    "cam": MapKind(cam.activation_map, "threshold", "max"),
    "gradcam": MapKind(cam.grad_cam, "threshold", "max", needs_linear_head=False, needs_gradient=True),
    "stochastic": _drawn(ficklenet.activation_map),
    "stochastic-mean": _drawn(ficklenet.mean_map),
    "rib": MapKind(rib.activation_map, "threshold", "max", fine_tuned=True),
}
# `--map entropy --layer NAME`: the same coefficients at another depth.
LAYERS: dict[str, str] = {"ep": "entropy", "bew1": "entropy-bew1", "bew2": "entropy-bew2"}


def settled_options(
    method: str, options: Mapping[str, bool | int | float | str], backbone: str, image_size: int
) -> dict[str, bool | int | float | str]:
    """Options of a method with what depends on the training's images, as a checkpoint is to keep them.

    Args:
        method: key of `METHODS`.
        options: all of them.
        backbone: name of the trunk.
        image_size: side of the training's inputs, pixels.
    """
    return ficklenet.settled(options, backbone, image_size) if method == "ficklenet" else dict(options)


def option_warning(
    method: str, options: Mapping[str, bool | int | float | str], backbone: str, image_size: int
) -> str | None:
    """What is odd about the settled options of a method, or None; arguments as of `settled_options`."""
    return ficklenet.kernel_warning(options, backbone, image_size) if method == "ficklenet" else None


def require_map(name: str, network: Network) -> None:
    """Refuse a map that a network cannot show.

    Raises:
        UnsupportedError: with the remedy.
    """
    kind = MAPS[name]
    if kind.needs_linear_head:
        network.linear()
    if kind.stochastic:
        ficklenet.require_fickle(network)
    if kind.fine_tuned:
        require_last_stages(network)
    if kind.branch > network.branches:
        raise UnsupportedError(
            f"the map {name} is of BEW layer {kind.branch}, and the network has {network.branches}: train one with "
            f"`wsloc train bew --layers {kind.branch}`"
        )
