"""What seeds are asked for, and the maps and rules that they are made with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.errors import UnsupportedError, UsageError
from wsloc.methods import MAPS, require_map
from wsloc.regions.dense_crf import require_dense_crf
from wsloc.regions.seeds import settled_rules

if TYPE_CHECKING:
    from wsloc.inputs.class_labels import ClassIndices
    from wsloc.inputs.image_labels import ImageLabels
    from wsloc.localizer import Localizer
    from wsloc.regions.seed_rules import SeedRule

MAXIMUM, MEAN = "stochastic", "stochastic-mean"  # of FickleNet's draws
EP_FOREGROUND = "max:0.3"  # EP: the top 30 % of the largest activation values


@dataclass(frozen=True, slots=True)
class SeedRequest:
    """What is asked of every image; the defaults are the command line's.

    Attributes:
        classes: each image's labels; or classes that all of them have; or how many of the best; None for the
            predicted ones: the best (single-label), or those of probability 0.5, the best at least (multi-label).
        map: key of `MAPS`, of a map a class; None for the network's own (`seed_map`).
        foreground: None for `stochastic:0.35` on FickleNet's map, `max:0.3` on an Entropy Pooling network's, `max:HIGH`
            beside a background of confidence, else `max:0.2`.
        background: None for `constant:0.2`, beside the foreground `auto` `rest`.
        crf: whether a dense CRF draws the seeds to the picture's edges.
    """

    classes: int | ClassIndices | ImageLabels | None = None
    map: str | None = None
    foreground: SeedRule | None = None
    background: SeedRule | None = None
    crf: bool = False


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """How the seeds of a network are made.

    Attributes:
        map: key of `MAPS`.
        foreground: which pixels classes claim.
        background: which the background does.
        crf: whether a dense CRF draws them to the picture's edges.
    """

    map: str
    foreground: SeedRule
    background: SeedRule
    crf: bool = False

    @property
    def maps(self) -> tuple[str, ...]:
        """All that are looked at: the rule `stochastic` takes the mean over the draws, too."""
        return (MAXIMUM, MEAN) if self.foreground.name == "stochastic" else (self.map,)


def seed_map(localizer: Localizer) -> str:
    """The map that seeds are made of unless the user names one; for Entropy Pooling its network's CAM."""
    name = localizer.default_map(class_named=True)
    return "cam" if MAPS[name].entropy_pooled else name


def plan_seeds(localizer: Localizer, request: SeedRequest) -> SeedPlan:
    """The plan of a request; what cannot be met is refused before any image is read.

    Raises:
        UnsupportedError: if the network and the map, or the map and a rule, do not go together, or a package is
            missing.
        UsageError: if saliency is asked for without a folder.
    """
    name = request.map or seed_map(localizer)
    require_map(name, localizer.network)
    if not MAPS[name].per_class:
        raise UnsupportedError(
            f"the map {name} carries no class, and seeds are of classes: take entropy-class, cam or gradcam"
        )
    foreground: SeedRule | str | None = request.foreground
    beside_confidence = request.background is not None and request.background.name == "confidence"
    if foreground is None and localizer.network.pooling is not None and not beside_confidence:
        foreground = EP_FOREGROUND
    rules = settled_rules(foreground, request.background, stochastic=name == MAXIMUM)
    if rules[0].name == "stochastic" and name != MAXIMUM:
        raise UnsupportedError(f"the rule {rules[0]} is for the map {MAXIMUM} (FickleNet), not for {name}")
    if rules[1].name == "saliency" and not rules[1].folder:
        raise UsageError(f"--background {rules[1]}: name the folder of the saliency maps, saliency:DIR:0.06")
    if request.crf:
        require_dense_crf()
    return SeedPlan(name, *rules, crf=request.crf)
