"""The smallest rectangle twice over, slow and literal: by its definition, and by two pointers for each row pair."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Box = tuple[int, int, int, int]  # top, left, bottom, right


def by_definition(values: npt.NDArray[Any], share: Fraction) -> tuple[Box, Fraction]:
    """The first of all rectangles in the order (area, -mass, top, left, bottom) that holds the share, and its own.

    Every sum is exact: the values become fractions, then Python integers over their common denominator.
    """
    fractions = [Fraction(value) for value in values.ravel().tolist()]
    unit = max(fraction.denominator for fraction in fractions)  # floats: all denominators are powers of two
    height, width = values.shape
    cells = np.array([int(fraction * unit) for fraction in fractions], object).reshape(height, width)
    total = cells.sum()
    _, negative_mass, top, left, bottom, right = min(
        ((bottom - top) * (right - left), -mass, top, left, bottom, right)
        for top, bottom in combinations(range(height + 1), 2)
        for left, right in combinations(range(width + 1), 2)
        if (mass := cells[top:bottom, left:right].sum()) >= share * total
    )
    return (top, left, bottom, right), Fraction(-negative_mass, total)


def by_two_pointers(
    cells: npt.NDArray[np.int64], share: Fraction, *, skip_light: bool = True
) -> tuple[Box, Fraction]:
    """The same for integer cells in O(h^2 w): for each pair of rows, all shortest runs of columns in one pass.

    `skip_light` passes over pairs that do not hold the share at full width: without it the time hardly depends
    on the map.
    """
    height, width = cells.shape
    above = np.vstack([np.zeros((1, width), np.int64), cells.cumsum(axis=0)])  # (h + 1, w)
    total = int(above[-1].sum())
    needed = -(-share.numerator * total // share.denominator)
    best = (height * width + 1, 0, 0, 0, 0, 0)
    for top, bottom in combinations(range(height + 1), 2):
        band = above[bottom] - above[top]
        if skip_light and band.sum() < needed:
            continue
        columns = band.tolist()
        left = mass = 0
        for right, column in enumerate(columns, start=1):
            mass += column
            while mass - columns[left] >= needed:
                mass -= columns[left]
                left += 1
            if mass >= needed:
                best = min(best, ((bottom - top) * (right - left), -mass, top, left, bottom, right))
    _, negative_mass, *box = best
    return (box[0], box[1], box[2], box[3]), Fraction(-negative_mass, total)
