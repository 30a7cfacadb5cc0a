"""The smallest rectangle that holds a given fraction of an activation map's mass: exact, in integers.

The search is a branch and bound over the rectangle's height. The least width that still holds the mass never
grows with the height, so what one height needs, or what is too narrow for it, bounds the area of all others.
All sums are sums of 64-bit integers: float sums depend on their order, and then so does the box.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wsloc.errors import MapError
from wsloc.regions.cells import checked_map, integer_cells

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.regions.cells import Cells


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of whole cells of an activation map, half-open: the cells `map[top:bottom, left:right]`.

    Attributes:
        top: first row.
        left: first column.
        bottom: first row below.
        right: first column to the right of it.
        mass: fraction (0-1) of the map's total inside; 0 for a map of zeros, whose rectangle is all of it.
    """

    top: int
    left: int
    bottom: int
    right: int
    mass: float


class Found(NamedTuple):
    """The rectangle that `search` found, with its mass and the map's in integer units, and the effort.

    `window_tests` counts how often the masses of all windows of one size were taken.
    """

    top: int
    left: int
    bottom: int
    right: int
    inside: int
    total: int
    window_tests: int


def smallest_rectangle(activation_map: npt.ArrayLike, mass: float = 0.98) -> Rectangle:
    """The smallest rectangle of cells that holds at least the fraction `mass` of a map's total.

    Exact: no rectangle of a smaller area holds as much. Of several of that area the heaviest is returned,
    then the topmost, the leftmost and the least high. So that nothing hangs on an order of summation, the
    map is read as integers (see `integer_cells`) and `mass` as the decimal that it prints as: what is exact
    holds of the map rounded to multiples of 2**-k of the next power of two above its maximum, with
    k = 62 - ceil(log2(h * w)), that is 46 for 224 x 224 cells. A cell of less than half of that counts as 0, so
    that even `mass=1` does not enclose a cell of 1e-30 beside one of 1. Integer maps are not rounded, as long
    as their values have no more than k bits.

    The criterion is that of Entropy Pooling's boxes (98 % of the mass), after Chen et al., "Automatic image
    cropping: a computational complexity study", CVPR 2016, who search among rectangles of one aspect ratio.

    Args:
        activation_map: (h, w) array or torch tensor on any device, of any real dtype, >= 0.
        mass: fraction of the total, 0 < mass <= 1.

    Returns:
        The rectangle, in cells of the map; the whole map, with mass 0, if every cell is 0.

    Raises:
        MapError: if the map is not 2-D, is empty or has NaN, infinite or negative values, or if `mass` is not
            in (0, 1].
    """
    share = exact_share(mass)
    found = search(integer_cells(checked_map(activation_map)), share)
    fraction = found.inside / found.total if found.total else 0.0
    return Rectangle(found.top, found.left, found.bottom, found.right, fraction)


def exact_share(mass: float) -> Fraction:
    """`mass` as the decimal that it prints as: 0.98 is 49/50, not the binary fraction next to it.

    Raises:
        MapError: if it is not a number in (0, 1].
    """
    try:
        share = Fraction(str(mass))
    except ValueError:  # NaN, infinity, or no number at all
        share = Fraction(0)
    if not 0 < share <= 1:
        raise MapError(f"mass is a fraction of the map's total in (0, 1], not {mass}: write 98 % as 0.98")
    return share


def search(cells: Cells, share: Fraction) -> Found:
    """The smallest rectangle that holds at least `share` of the sum of the cells.

    Args:
        cells: int64 (h, w), >= 0, of a sum of at most 2**62.
        share: 0 < share <= 1.

    Returns:
        The rectangle; the whole map if the sum is 0.
    """
    row_masses = cells.sum(axis=1)
    total = int(row_masses.sum())
    if total == 0:
        height, width = cells.shape
        return Found(0, 0, height, width, inside=0, total=0, window_tests=0)
    needed = -(-share.numerator * total // share.denominator)  # rounded up, so at least 1
    windows = _Windows(cells, _span(row_masses, needed), needed)
    candidates = []
    for height, width in _least_sizes(windows):
        inside, top, left = windows.heaviest(height, width)
        candidates.append((-inside, top, left, top + height, left + width))
    negative_mass, top, left, bottom, right = min(candidates)
    return Found(top, left, bottom, right, -negative_mass, total, windows.tests)


def _least_sizes(windows: _Windows) -> list[tuple[int, int]]:
    """(height, width) of every size of the smallest area at which a window holds the mass needed.

    Best first over intervals of heights. Each middle height is tried with the greatest width that would not
    be worse than the best so far: either it improves on that, or widths up to there are too narrow for all
    lower heights too.
    """
    rows, columns = windows.rows, windows.columns
    best, sizes = rows.longest * columns.shortest, [(rows.longest, columns.shortest)]
    if rows.shortest * columns.longest < best:  # it is enough; its height is tried below
        best, sizes = rows.shortest * columns.longest, []
    # (the area that no rectangle falls below, first height, last height, the width that none falls below)
    intervals = [(rows.shortest * columns.shortest, rows.shortest, rows.longest - 1, columns.shortest)]
    while intervals and intervals[0][0] <= best:  # equal areas are looked at: they may be ties
        _, first, last, least = heapq.heappop(intervals)
        last = min(last, best // least)
        if first > last:
            continue
        height = (first + last) // 2
        widest = min(best // height, columns.longest)
        width = windows.narrowest(height, least, widest)
        if width is not None:
            if height * width < best:
                best, sizes = height * width, []
            sizes.append((height, width))
        lower_least = widest + 1 if width is None else width
        if first < height:
            heapq.heappush(intervals, (first * lower_least, first, height - 1, lower_least))
        if height < last:
            heapq.heappush(intervals, ((height + 1) * least, height + 1, last, least))
    return sizes


class _Span(NamedTuple):
    """Where the rectangle can start and end along one axis: borders between cells, counted from 0, inclusive.

    No start has more than the spare mass before it and no end more than that behind it; empty rows (or columns)
    at the map's border are left out. `shortest` is the least length that holds the mass needed at full breadth.
    """

    first_start: int
    last_start: int
    first_end: int
    last_end: int
    shortest: int

    @property
    def longest(self) -> int:
        """The length from the first start to the last end."""
        return self.last_end - self.first_start

    @property
    def starts(self) -> int:
        """How many starts there are."""
        return self.last_start - self.first_start + 1

    @property
    def ends(self) -> int:
        """How many ends there are."""
        return self.last_end - self.first_end + 1

    def places(self, length: int) -> tuple[slice, slice]:
        """The starts and ends of all intervals of one length, counted from `first_start` and `first_end`."""
        first_start, last_start, first_end, last_end, _ = self
        first = max(first_start, first_end - length)
        stop = min(last_start, last_end - length) + 1
        shift = length - first_end
        return slice(first - first_start, stop - first_start), slice(first + shift, stop + shift)


def _span(line: Cells, needed: int) -> _Span:
    """The span of one axis, from the masses of its rows (or columns)."""
    prefix = np.zeros(len(line) + 1, np.int64)
    np.cumsum(line, out=prefix[1:])
    total = int(prefix[-1])
    first_start = int(prefix.searchsorted(0, "right")) - 1
    last_start = int(prefix.searchsorted(total - needed, "right")) - 1
    # For each start, the nearest end that encloses the mass needed.
    ends = prefix.searchsorted(prefix[first_start : last_start + 1] + needed)
    lengths = ends - np.arange(first_start, last_start + 1)
    return _Span(
        first_start, last_start, int(ends[0]), int(prefix.searchsorted(total)), shortest=int(lengths.min())
    )


class _Windows:
    """The masses of windows, from a summed-area table of the places where their corners can be.

    Four tables, one a corner, hold the mass above and left of each such place. What every rectangle holds is
    summed into one row and column first, so for a large share the tables are a small part of the map.
    """

    def __init__(self, cells: Cells, rows: _Span, needed: int) -> None:
        merged = _merge_middle(cells, rows)
        columns = _span(merged.sum(axis=0), needed)
        merged = _merge_middle(merged.T, columns).T
        self.rows = rows
        self.columns = columns
        self.needed = needed
        self.tests = 0
        table = np.zeros((merged.shape[0] + 1, merged.shape[1] + 1), np.int64)
        np.cumsum(merged, axis=1, out=table[1:, 1:])
        np.cumsum(table[1:, 1:], axis=0, out=table[1:, 1:])
        lefts = np.ascontiguousarray(table[:, : columns.starts])
        rights = np.ascontiguousarray(table[:, -columns.ends :])
        self._top_left, self._bottom_left = lefts[: rows.starts], lefts[-rows.ends :]
        self._top_right, self._bottom_right = rights[: rows.starts], rights[-rows.ends :]
        self._starts_before_end = columns.first_end - np.arange(columns.first_start, columns.last_start + 1)

    def heaviest(self, height: int, width: int) -> tuple[int, int, int]:
        """Mass, top and left of the heaviest window of one size; of equal ones the topmost, then leftmost."""
        self.tests += 1
        tops, bottoms = self.rows.places(height)
        lefts, rights = self.columns.places(width)
        masses = self._bottom_right[bottoms, rights] - self._top_right[tops, rights]  # (tops, lefts)
        masses -= self._bottom_left[bottoms, lefts]
        masses += self._top_left[tops, lefts]
        place = int(masses.argmax())
        row, column = divmod(place, masses.shape[1])
        top = self.rows.first_start + tops.start + row
        left = self.columns.first_start + lefts.start + column
        return masses.item(place), top, left

    def narrowest(self, height: int, least: int, widest: int) -> int | None:
        """The least width in [least, widest] at which a window of this height holds the mass needed."""
        mass, top, _ = self.heaviest(height, widest)
        if mass < self.needed:
            return None
        width = widest
        while least < width:
            width = self._narrowest_at(top, height)  # the heaviest window's rows are mostly the best ones
            if least == width:
                break
            mass, top, _ = self.heaviest(height, width - 1)
            if mass < self.needed:
                break
            width -= 1
        return width

    def _narrowest_at(self, top: int, height: int) -> int:
        """The least width in the rows [top, top + height), which hold the mass needed at some width."""
        above, below = top - self.rows.first_start, top + height - self.rows.first_end
        target = self._bottom_left[below] - self._top_left[above] + self.needed  # (lefts,)
        reached = self._bottom_right[below] - self._top_right[above]  # (rights,)
        usable = int(target.searchsorted(reached[-1], "right"))  # lefts with enough mass to their right
        return int((reached.searchsorted(target[:usable]) + self._starts_before_end[:usable]).min())


def _merge_middle(cells: Cells, span: _Span) -> Cells:
    """The rows within the span, those between the last start and the first end summed into one."""
    start, end = span.last_start, span.first_end
    if end - start < 2:
        return cells[span.first_start : span.last_end]
    middle = cells[start:end].sum(axis=0, keepdims=True)
    return np.concatenate((cells[span.first_start : start], middle, cells[end : span.last_end]))
