"""What is asked of every image of a run: which map, of which classes, and how boxes are taken from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

from wsloc.errors import UnsupportedError
from wsloc.inputs.class_labels import labels_by_image
from wsloc.inputs.number_kinds import is_real, is_whole
from wsloc.methods import MAPS
from wsloc.networks.map_operations import NORMALIZATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsloc.inputs.class_labels import ClassIndices

BOX_RULES = ("mass", "threshold", "excess")


class MapOptions(TypedDict, total=False):
    """The options of a `Request` aside from its classes, as keyword arguments."""

    map: str | None
    box: str | None
    mass: float
    map_threshold: float
    boxes_per_class: int
    min_probability: float
    normalization: str | None
    show_draws: int


class LocalizeOptions(MapOptions, total=False):
    """The keyword arguments of `Localizer.localize`."""

    classes: str | int | Sequence[str | int]
    batch_size: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of every image; the defaults are the command line's.

    Attributes:
        classes: how many of the best classes; or which class indices; or, by image id, which ones.
        map: key of `MAPS`; None for the network's own (`Localizer.default_map`).
        box: `mass`, `threshold` or `excess`; None for the map's own rule.
        mass: fraction of the map's total that a `mass` box holds, or of what rises above the threshold for
            `excess`, in (0, 1].
        map_threshold: fraction of the map's maximum from which on a cell counts, 0-1.
        boxes_per_class: components of the thresholded map that get a box of their own, heaviest first.
        min_probability: predictions below it are left out, 0-1.
        normalization: key of `NORMALIZATIONS`; None for the map's own. With `none` maps may be negative; boxes
            are of their positive part.
        show_draws: how many single draws of a random map a record keeps, too.

    Raises:
        UnsupportedError: if an option is unknown or out of its range.
    """

    classes: int | ClassIndices | Mapping[str, ClassIndices] = 1
    map: str | None = None
    box: str | None = None
    mass: float = 0.98
    map_threshold: float = 0.2
    boxes_per_class: int = 1
    min_probability: float = 0.0
    normalization: str | None = None
    show_draws: int = 0

    def __post_init__(self) -> None:
        for option, known in (("map", MAPS), ("box", BOX_RULES), ("normalization", NORMALIZATIONS)):
            value = getattr(self, option)
            if value is not None and value not in known:
                raise UnsupportedError(f"unknown {option} {value!r}: choose one of {', '.join(known)}")
        for option in ("mass", "map_threshold", "min_probability"):
            if not is_real(getattr(self, option)):
                raise UnsupportedError(f"{option} is a number, not {getattr(self, option)!r}")
        if not 0 < self.mass <= 1:
            raise UnsupportedError(f"mass is a fraction in (0, 1], not {self.mass}")
        for option in ("map_threshold", "min_probability"):
            if not 0 <= getattr(self, option) <= 1:
                raise UnsupportedError(f"{option} is a fraction in 0-1, not {getattr(self, option)}")
        if not is_whole(self.boxes_per_class) or self.boxes_per_class < 1:
            raise UnsupportedError(
                f"boxes_per_class is a whole number of at least 1, not {self.boxes_per_class!r}"
            )
        if not is_whole(self.show_draws) or self.show_draws < 0:
            raise UnsupportedError(f"show_draws is a whole number, not {self.show_draws!r}")

    @property
    def names_classes(self) -> bool:
        """Whether classes are named, instead of taken as the network ranks them."""
        return not isinstance(self.classes, int)

    def named_classes(self, image: str) -> ClassIndices:
        """The classes that are named for an image; none if its labels are not known."""
        if isinstance(self.classes, int):
            return ()
        return self.classes if isinstance(self.classes, tuple) else self.classes.get(image, ())

    def matched(self, images: Sequence[str]) -> Request:
        """The same request, its labels by the ids of these images (see `labels_by_image`)."""
        if isinstance(self.classes, int | tuple):
            return self
        return replace(self, classes=labels_by_image(images, self.classes))
