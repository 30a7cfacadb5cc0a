"""Single draws of a random map beside their aggregate, as in FickleNet's figure 5a."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from wsloc.records import Localization

TILE = 320  # pixels of a tile's longer side
GAP = 4  # pixels between tiles


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
                _tile(
                    replace(
                        localization, activation_maps=cells[None], class_indices=(index,), predictions=boxes
                    )
                )
                for cells, boxes in shown
            ]
        )
    width, height = rows[0][0].size
    size = (len(rows[0]) * (width + GAP) - GAP, len(rows) * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for down, row in enumerate(rows):
        for across, tile in enumerate(row):
            sheet.paste(tile, (across * (width + GAP), down * (height + GAP)))
    return sheet


def _tile(localization: Localization) -> Image.Image:
    """Its overlay, at a tile's size."""
    overlay = localization.overlay()
    overlay.thumbnail((TILE, TILE))
    return overlay
