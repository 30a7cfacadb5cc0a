"""Labels on a picture: words on filled tags that stay inside it and do not hide one another."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL import Image

    from wsloc.records import Prediction

Colour = tuple[int, int, int]
Edges = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels of the drawing, half-open."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

ELLIPSIS = "..."  # three full stops: not every font has the one character
DARK: Colour = (17, 17, 17)
LIGHT: Colour = (255, 255, 255)
TALLEST_TAG = 0.6  # of the drawing's height: further names are counted, not written
WIDEST_TAG = 0.6  # of the drawing's width
NARROW_DRAWING = 320  # pixels: up to this width a tag of one line may take all of it


@dataclass(frozen=True, slots=True)
class Tag:
    """Words that belong to a box.

    Attributes:
        lines: one a class, best first.
        colour: RGB fill, that of the box.
        edges: of the box with its lines, in the drawing.
    """

    lines: tuple[str, ...]
    colour: Colour
    edges: Edges


def draw_tags(image: Image.Image, tags: Sequence[Tag], font_size: int, picture: tuple[int, int]) -> None:
    """Write tags onto an RGB drawing, in place; one for which no free place is left is left out.

    Args:
        image: the drawing, whose upper left part is the picture.
        tags: the most important first; it chooses its place first.
        font_size: pixels.
        picture: (width, height) of the part that the picture takes; smaller than the drawing where a margin
            was added, which is then used first.
    """
    draw = ImageDraw.Draw(image)
    font = load_font(font_size)
    row, padding = row_height(font), max(3, font_size // 4)
    taken: list[Edges] = []
    for tag in tags:
        widest = _widest(image.width, picture[0], len(tag.lines)) - 2 * padding
        lines = _fitted_lines(tag.lines, font, (widest, image.height - padding))
        width = round(max(font.getlength(line) for line in lines)) + 2 * padding
        place = find_place((width, row * len(lines) + padding), tag.edges, image.size, picture, taken)
        if place is None:
            continue
        taken.append(place)
        draw.rectangle((place[0], place[1], place[2] - 1, place[3] - 1), fill=tag.colour, outline=DARK)
        ink = DARK if luminance(tag.colour) > 0.18 else LIGHT  # whichever contrasts more
        for number, line in enumerate(lines):
            position = (place[0] + padding, place[1] + padding // 2 + number * row)
            draw.text(position, line, fill=ink, font=font)


def label(prediction: Prediction) -> str:
    """What a tag says of a prediction: `goldfish 93 %`; a name in a script without glyphs becomes its id."""
    percent = round(prediction.probability * 100) or "<1"
    spellings = (prediction.class_name, prediction.class_id, f"class {prediction.class_index}")
    name = next(filter(None, map(_drawable, spellings)))
    return f"{name} {percent} %"


def shortened(line: str, font: Font, width: float) -> str:
    """A label no wider than `width` pixels: its name is cut with an ellipsis, its percentage is kept."""
    if font.getlength(line) <= width:
        return line
    name, number, sign = line.rsplit(" ", 2)
    ending = f"{ELLIPSIS} {number} {sign}"
    low, high = 0, len(name)  # the longest start of the name that fits lies in [low, high)
    while high - low > 1:
        middle = (low + high) // 2
        fits = font.getlength(name[:middle].rstrip(" ,") + ending) <= width
        low, high = (middle, high) if fits else (low, middle)
    return name[:low].rstrip(" ,") + ending


def find_place(
    size: tuple[int, int],
    edges: Edges,
    drawing: tuple[int, int],
    picture: tuple[int, int],
    taken: Sequence[Edges],
) -> Edges | None:
    """Where a tag goes: inside the drawing, off every other tag, close to its box; None if nowhere.

    Args:
        size: (width, height) of the tag.
        edges: of its box.
        drawing: (width, height) of the whole drawing.
        picture: (width, height) of its upper left part that the picture takes; a margin is filled before it.
        taken: the tags that stand already.
    """
    blocked = [*taken, (0, 0, *picture)] if picture != drawing else taken
    place = _first_free(size, edges, drawing, blocked)
    return place or _first_free(size, edges, drawing, taken)


def _first_free(
    size: tuple[int, int], edges: Edges, drawing: tuple[int, int], blocked: Sequence[Edges]
) -> Edges | None:
    """The first place of those wished for that is inside the drawing and off everything blocked."""
    width, height = size
    for x, y in _wishes(size, edges, drawing, blocked):
        left = min(max(x, 0), drawing[0] - width)
        place = (left, y, left + width, y + height)
        inside = left >= 0 and y >= 0 and place[3] <= drawing[1]
        if inside and not any(overlap(place, other) for other in blocked):
            return place
    return None


def _wishes(
    size: tuple[int, int], edges: Edges, drawing: tuple[int, int], blocked: Sequence[Edges]
) -> Iterator[tuple[int, int]]:
    """Upper left corners to try, the best first: round the box, then where little of it is hidden."""
    width, height = size
    x0, y0, x1, y1 = edges
    yield x0, y0 - height
    if x1 - x0 >= width and y1 - y0 >= 8 * height:  # inside, where that hides little of the object
        yield x0, y0
    yield x0, y1
    if x1 + width <= drawing[0]:
        yield x1, min(y0, drawing[1] - height)
    if x0 >= width:
        yield x0 - width, min(y0, drawing[1] - height)
    # The corners of drawing and box, and the sides of what is blocked; what hides least, then the nearest.
    right, bottom = drawing[0] - width, drawing[1] - height
    corners = [(0, 0), (right, 0), (0, bottom), (right, bottom)]
    corners += [(x0, y0), (x1 - width, y0), (x0, y1 - height), (x1 - width, y1 - height)]
    for left, top, end, under in blocked:
        corners += [(left, under), (end, top), (left, top - height), (x0, under), (end, y0)]

    def cost(corner: tuple[int, int]) -> tuple[int, int, tuple[int, int]]:
        place = (*corner, corner[0] + width, corner[1] + height)
        return overlap(place, edges), abs(corner[0] - x0) + abs(corner[1] - y0), corner

    yield from sorted(corners, key=cost)


def overlap(one: Edges, other: Edges) -> int:
    """Pixels that two rectangles share."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, across) * max(0, down)


def _widest(width: int, picture_width: int, lines: int) -> float:
    """Pixels that a tag of so many lines may take across a drawing."""
    if picture_width < width:  # a margin on the right, where the tag shall fit
        return max(width - picture_width, width / 2)
    return width if width <= NARROW_DRAWING and lines == 1 else width * WIDEST_TAG


def _fitted_lines(lines: Sequence[str], font: Font, room: tuple[float, int]) -> list[str]:
    """As many lines as a tag may have, each cut to the room's width; the rest is counted in the last one."""
    most = max(1, int(room[1] * TALLEST_TAG) // row_height(font))
    shown = [shortened(line, font, room[0]) for line in lines[:most]]
    if len(lines) > most > 1:
        shown[-1] = f"and {len(lines) - most + 1} more"
    return shown


def row_height(font: Font) -> int:
    """Pixels that a line of text takes."""
    if isinstance(font, ImageFont.FreeTypeFont):
        return sum(font.getmetrics())
    return round(font.getbbox("Ag")[3])


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour, 0-1 (WCAG 2.2)."""
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@lru_cache(maxsize=32)
def load_font(size: int) -> Font:
    """Matplotlib's DejaVu Sans (Latin, Greek, Cyrillic and more), or Pillow's own font (ASCII) without it."""
    spec = find_spec("matplotlib")  # found, not imported: that would take a tenth of a second
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans-Bold.ttf")
        if path.is_file():
            return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def _drawable(text: str) -> str:
    """The text in characters that the font has: accents dropped where they must be, the rest as an ellipsis.

    Empty if the font has none of its characters.
    """
    characters = []
    for character in " ".join(text.split()):
        plain = unicodedata.normalize("NFKD", character)[0]
        characters.append(next((one for one in (character, plain) if _has_glyph(one)), "\0"))
    runs = "".join(characters).split("\0")
    if not any(run.strip() for run in runs):
        return ""
    kept = [run for position, run in enumerate(runs) if run or position in (0, len(runs) - 1)]
    return ELLIPSIS.join(kept)


@lru_cache(maxsize=4096)
def _has_glyph(character: str) -> bool:
    """Whether the font draws something else than its sign for missing characters."""
    if character == " ":
        return True
    if not character.isprintable():  # lone surrogates too
        return False
    font = load_font(16)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))
