"""Connected components, slow and literal: a flood fill from cell to cell."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Component = frozenset[tuple[int, int]]


def components(values: npt.NDArray[Any], map_threshold: float) -> list[Component]:
    """The 8-connected sets of cells (row, column) whose value is `map_threshold` of the maximum or more."""
    peak = values.max()
    unvisited = {(int(row), int(column)) for row, column in np.argwhere(values / peak >= map_threshold)}
    found = []
    while unvisited:
        frontier = [unvisited.pop()]
        component = set(frontier)
        while frontier:
            row, column = frontier.pop()
            neighbours = {(row + down, column + right) for down, right in product((-1, 0, 1), repeat=2)}
            fresh = neighbours & unvisited
            unvisited -= fresh
            component |= fresh
            frontier.extend(fresh)
        found.append(frozenset(component))
    return found


def bounding_box(component: Component) -> tuple[int, int, int, int]:
    """(top, left, bottom, right), half-open."""
    rows, columns = zip(*component, strict=True)
    return min(rows), min(columns), max(rows) + 1, max(columns) + 1
