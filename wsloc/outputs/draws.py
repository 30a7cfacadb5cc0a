"""Single draws of a random map beside their aggregate, as in FickleNet's figure 5a."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsloc.outputs.tiles import tiled

if TYPE_CHECKING:
    from PIL import Image

    from wsloc.records import Localization


def draws_sheet(localization: Localization) -> Image.Image:
    """A row a class, best first: its overlay with the aggregate and its boxes, then its single draws.

    Args:
        localization: with draws (P, D, h, w), maps of the same classes, and a picture to draw on.

    Raises:
        ValueError: if it has no draws, or no picture.
    """
    if localization.draws is None or localization.activation_maps is None:
        raise ValueError(f"no draws are kept for {localization.image}: localize it with show_draws=8")
    rows = []
    for place, index in enumerate(localization.class_indices):
        own = tuple(found for found in localization.predictions if found.class_index == index)
        shown = [(localization.activation_maps[place], own)]
        shown += [(cells, ()) for cells in localization.draws[place]]
        rows.append(
            [
                replace(
                    localization, activation_maps=cells[None], class_indices=(index,), predictions=boxes
                ).overlay()
                for cells, boxes in shown
            ]
        )
    return tiled(rows)
