"""From what the network saw in one image to its record: maps in the input frame -> rectangles -> boxes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import MapError
from wsloc.inputs.preprocessing import box_to_image
from wsloc.methods import MAPS
from wsloc.outputs.overlays import draw_overlay
from wsloc.records import Failure, Localization, Prediction
from wsloc.regions.components import excess_boxes, mass_boxes, threshold_boxes

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.inputs.loading import LoadedImage
    from wsloc.records import Classes
    from wsloc.regions.rectangle import Rectangle
    from wsloc.request import Request


@dataclass(frozen=True, slots=True)
class Observed:
    """One kind of map of a batch, on the host.

    Attributes:
        class_index: (N, P), the classes explained.
        chosen: (N, P), their probabilities, 0-1.
        maps: float32 (N, P, H, W), input frame, or (N, 1, H, W) for a map that all classes share.
        draws: float32 (N, P, D, h, w), grid frame: single draws of a random map, where they are shown.
    """

    class_index: npt.NDArray[np.int64]
    chosen: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]
    draws: npt.NDArray[np.float32] | None = None

    def row(self, n: int, count: int) -> Observed:
        """The first `count` classes of image `n`, all without the dimension N."""
        draws = None if self.draws is None else self.draws[n, :count]
        return Observed(self.class_index[n, :count], self.chosen[n, :count], self.maps[n, :count], draws)


def boxed(
    image: LoadedImage, found: Observed, map_name: str, request: Request, classes: Classes
) -> Localization | Failure:
    """The record of one image.

    Args:
        image: as it went through the network.
        found: a row: what was observed of it, without the dimension N.
        map_name: key of `MAPS`: what `found` is.
        request: how boxes are taken.
        classes: what the network's outputs mean.
    """
    class_index, chosen, maps, draws = found.class_index, found.chosen, found.maps, found.draws
    kind = MAPS[map_name]
    order = np.argsort(-chosen, kind="stable")  # best first, named classes too
    class_index, chosen = class_index[order], chosen[order]
    maps = maps[order] if kind.per_class else maps
    if not np.isfinite(chosen).all():
        return Failure(image.image, f"{image.image}: the network's output is NaN: check its weights")
    try:
        rectangles = [_rectangles(cells, request.box or kind.box_rule, request) for cells in maps]
    except MapError as error:
        return Failure(image.image, f"{image.image}: {error}")
    predictions = [
        Prediction(
            int(index),
            classes.ids[index],
            classes.names[index],
            float(probability),
            box_to_image(
                (rectangle.top, rectangle.left, rectangle.bottom, rectangle.right),
                maps.shape[1:],
                image.image_size,
            ),
            rectangle.mass,
        )
        for place, (index, probability) in enumerate(zip(class_index, chosen, strict=True))
        for rectangle in rectangles[place if kind.per_class else 0]
        if probability >= request.min_probability
    ]
    return Localization(
        image=image.image,
        width=image.image_size[1],
        height=image.image_size[0],
        map=map_name,
        predictions=tuple(predictions),
        class_indices=tuple(map(int, class_index)) if kind.per_class else (),
        activation_maps=maps,
        draws=None if draws is None else draws[order],
        renderer=None if image.picture is None else partial(draw_overlay, image.picture),
    )


def _rectangles(cells: npt.NDArray[np.float32], rule: str, request: Request) -> list[Rectangle]:
    """The rectangles of one map (H, W), input frame."""
    cells = np.maximum(cells, 0)  # maps that are not normalised may be negative
    if rule in {"mass", "excess"}:
        boxes = mass_boxes if rule == "mass" else excess_boxes
        return boxes(cells, request.mass, request.map_threshold, request.boxes_per_class)
    return threshold_boxes(cells, request.map_threshold, request.boxes_per_class)
