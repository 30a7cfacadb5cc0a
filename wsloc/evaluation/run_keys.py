"""What is scored: a map and a way to take boxes from it; and what a tuning set chooses of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsloc.inputs.preprocessing import box_to_image
from wsloc.outputs.report_records import ChosenOn
from wsloc.regions.components import excess_boxes, threshold_boxes
from wsloc.regions.rectangle import smallest_rectangle

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    from wsloc.records import Box

EXCESS_MASS = 0.98  # as for entropy maps
MASK_THRESHOLD = 0.2  # of the maximum: what GAIN's and CAM's seeds are taken at


@dataclass(frozen=True, slots=True)
class BoxRule:
    """How a box is taken from a map.

    Attributes:
        kind: `mass`, `threshold` or `excess`.
        value: the fraction of the map's total, or of its maximum (for `excess` the one that has to be exceeded, its
            boxes hold 98 % of what does), 0-1.
    """

    kind: str
    value: float

    @property
    def label(self) -> str:
        """`mass 0.98`."""
        return f"{self.kind} {self.value:g}"

    def box(self, cells: npt.NDArray[np.float32], image_size: tuple[int, int]) -> Box:
        """The box of one map (H, W), which covers the whole image, in the image's pixels.

        Raises:
            MapError: if the map has NaN, infinite or negative values.
        """
        if self.kind == "mass":
            found = smallest_rectangle(cells, self.value)
        elif self.kind == "excess":
            found = excess_boxes(cells, EXCESS_MASS, self.value)[0]
        else:
            found = threshold_boxes(cells, self.value)[0]
        edges = (found.top, found.left, found.bottom, found.right)
        return box_to_image(edges, (cells.shape[0], cells.shape[1]), image_size)


@dataclass(frozen=True, slots=True)
class RunKey:
    """One map with one box rule; None where boxes come ready-made.

    A rule that another data set chose is a run of its own, even if the same value was given too.
    """

    map: str
    rule: BoxRule | None
    tuned: bool = False

    @property
    def box(self) -> str:
        """`mass 0.98`, or `mass 0.9, tuned`; empty without a rule."""
        return "" if self.rule is None else self.rule.label + (", tuned" if self.tuned else "")

    @property
    def label(self) -> str:
        """`entropy-class, mass 0.98`."""
        return ", ".join(filter(None, (self.map, self.box)))


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a tuning set has chosen.

    Attributes:
        runs: for each map and kind of rule, the run whose boxes of the true classes are right most often there.
        map_thresholds: for each map, where MaxBoxAcc's curve is highest there, fraction of the maximum.
        mask_thresholds: for each map, where the masks' mean IoU is highest there, likewise.
        chosen_on: the tuning set, or the scored one if their images are not all others.
    """

    runs: tuple[RunKey, ...]
    map_thresholds: Mapping[str, float]
    mask_thresholds: Mapping[str, float] = field(default_factory=dict)
    chosen_on: ChosenOn = ChosenOn.TUNING_SET


def mask_threshold(run: RunKey) -> float:
    """What a score has to exceed for a pixel to be of its class: the run's own threshold, or 0.2."""
    return run.rule.value if run.rule is not None and run.rule.kind == "threshold" else MASK_THRESHOLD
