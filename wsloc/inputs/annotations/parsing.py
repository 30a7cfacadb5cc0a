"""What every annotation format needs: lines of text, and boxes that are checked as they are read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wsloc.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wsloc.records import Box

ImageSize = tuple[int, int]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1, stripped; empty ones are passed over.

    Raises:
        DataError: if the file cannot be read, or is no UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path}: it is no UTF-8 text") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if stripped := line.strip():
            yield number, stripped


def positive_size(width: object, height: object, where: str) -> ImageSize:
    """An image's (height, width) in pixels, from numbers or their text.

    Args:
        width: of the image, pixels.
        height: of the image, pixels.
        where: file and line or element, for the message.

    Raises:
        DataError: if either is no whole number above 0.
    """
    try:
        size = int(str(height)), int(str(width))
    except ValueError:
        size = 0, 0
    if min(size) < 1:
        raise DataError(f"{where}: width {width} and height {height} are not whole pixels above 0")
    return size


def inclusive_box(
    corners: Sequence[str], where: str, image_size: ImageSize | None = None, *, first: int = 0
) -> Box:
    """Corners that both belong to the box, as a half-open one.

    The last corner may lie one pixel past the image, as it does in much data; that box is kept as it is.

    Args:
        corners: x0, y0, x1, y1 as text.
        where: file and line or element, for the message.
        image_size: (height, width) in pixels, where it is known.
        first: how the format counts the first pixel, 0 or 1.

    Returns:
        xyxy, half-open, from 0, image frame.

    Raises:
        DataError: if these are no four finite numbers, x1 < x0, y1 < y0, or the box reaches out of the image.
    """
    shown = f"{where}: the box `{' '.join(corners)}`"
    try:
        x0, y0, x1, y1 = (float(corner) - first for corner in corners)
    except ValueError as error:
        raise DataError(f"{shown} is not the four numbers x0 y0 x1 y1") from error
    if x1 < x0 or y1 < y0:
        raise DataError(f"{shown} ends before it begins: x0 <= x1 and y0 <= y1 are expected")
    return checked_box((x0, y0, x1 + 1, y1 + 1), shown, image_size, first=first)


def checked_box(box: Box, shown: str, image_size: ImageSize | None = None, *, first: int = 0) -> Box:
    """The box itself, if it is one.

    Args:
        box: xyxy, half-open, from 0, image frame; x1 and y1 may be one pixel too large.
        shown: file, place and the box as it stands there, for the message.
        image_size: (height, width) in pixels, where it is known.
        first: how the format counts the first pixel, for the message.

    Raises:
        DataError: if a number is not finite, or the box is empty or reaches out of the image.
    """
    x0, y0, x1, y1 = box
    if not all(math.isfinite(corner) for corner in box):
        raise DataError(f"{shown} holds a number that is not finite")
    if x1 <= x0 or y1 <= y0:
        raise DataError(f"{shown} is empty")
    height, width = image_size or (math.inf, math.inf)
    if not (0 <= x0 < width and 0 <= y0 < height and x1 <= width + 1 and y1 <= height + 1):
        extent = f"{width} x {height} pixels, " if image_size else ""
        raise DataError(f"{shown} reaches out of the image ({extent}counted from {first})")
    return box
