"""Pictures side by side, in rows, on one sheet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

TILE = 320  # pixels of a tile's longer side
GAP = 4  # pixels between tiles


def tiled(rows: Sequence[Sequence[Image.Image]], side: int = TILE) -> Image.Image:
    """A sheet of rows of pictures, each reduced to at most `side` pixels, in cells of the largest one's size."""
    shown = [[_reduced(picture, side) for picture in row] for row in rows]
    width = max(tile.width for row in shown for tile in row)
    height = max(tile.height for row in shown for tile in row)
    across = max(len(row) for row in shown)
    sheet = Image.new("RGB", (across * (width + GAP) - GAP, len(shown) * (height + GAP) - GAP), "white")
    for down, row in enumerate(shown):
        for place, tile in enumerate(row):
            sheet.paste(tile, (place * (width + GAP), down * (height + GAP)))
    return sheet


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    reduced = picture.copy()
    reduced.thumbnail((side, side))
    return reduced
