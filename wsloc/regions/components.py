"""Boxes from the connected components of a thresholded activation map, one or several a map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from wsloc.errors import MapError
from wsloc.regions.cells import checked_map, integer_cells
from wsloc.regions.rectangle import Rectangle, exact_share, search, smallest_rectangle

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from wsloc.regions.cells import Cells


TOUCHED = 1e-6  # fraction of the maximum from which on a cell of an excess counts as one


class _Component(NamedTuple):
    """A connected component: its bounding box (top, left, bottom, right), the number and the sum of its cells."""

    label: int
    box: tuple[int, int, int, int]
    area: int
    mass: int


def threshold_boxes(
    activation_map: npt.ArrayLike, map_threshold: float = 0.2, count: int = 1
) -> list[Rectangle]:
    """Bounding boxes of the components of the cells that reach a fraction of the map's maximum.

    A cell belongs to a component if its value divided by the maximum is `map_threshold` or more; components are
    8-connected. One box is that of the component with the most cells, CAM's rule (Zhou et al., "Learning deep
    features for discriminative localization", CVPR 2016, section 3.2); several are those of the heaviest.

    Args:
        activation_map: (h, w) array or torch tensor on any device, of any real dtype, >= 0.
        map_threshold: fraction of the maximum, 0-1.
        count: boxes at most.

    Returns:
        1 to `count` rectangles in cells of the map, heaviest component first (of equal ones the larger, then the
        topmost, then the leftmost); `mass` is the fraction of the whole map's total inside the rectangle.
        For a map of zeros the whole map, with mass 0.

    Raises:
        MapError: if the map is not 2-D, is empty or has NaN, infinite or negative values, if `map_threshold` is
            not in [0, 1], or if `count` is below 1.
    """
    _check_options(map_threshold, count)
    values = checked_map(activation_map)
    cells = integer_cells(values)
    if not cells.any():
        return [_rectangle(cells, 0, 0, *cells.shape)]
    components, _ = _components(values, cells, map_threshold)
    if count == 1:
        components.sort(key=lambda component: -component.area)  # stable: equal areas stay heaviest first
    return [_rectangle(cells, *component.box) for component in components[:count]]


def mass_boxes(
    activation_map: npt.ArrayLike, mass: float = 0.98, map_threshold: float = 0.2, count: int = 1
) -> list[Rectangle]:
    """The smallest rectangles that hold a fraction of the map's mass, or of its heaviest components' mass.

    One box is `smallest_rectangle` of the map as it is, which no threshold touches. Several are those of the
    heaviest components at `map_threshold`, as in `threshold_boxes`: for each the smallest rectangle that holds
    the fraction `mass` of that component's own total, all other cells counting as 0.

    Args:
        activation_map: (h, w) array or torch tensor on any device, of any real dtype, >= 0.
        mass: fraction of the total, 0 < mass <= 1.
        map_threshold: fraction of the maximum, 0-1; for several boxes only.
        count: boxes at most.

    Returns:
        1 to `count` rectangles in cells of the map, heaviest component first; `mass` is the fraction of the whole
        map's total inside the rectangle. For a map of zeros the whole map, with mass 0.

    Raises:
        MapError: as for `threshold_boxes`, or if `mass` is not in (0, 1].
    """
    _check_options(map_threshold, count)
    if count == 1:
        return [smallest_rectangle(activation_map, mass)]
    share = exact_share(mass)
    values = checked_map(activation_map)
    cells = integer_cells(values)
    if not cells.any():
        return [_rectangle(cells, 0, 0, *cells.shape)]
    components, labels = _components(values, cells, map_threshold)
    rectangles = []
    for component in components[:count]:
        top, left, bottom, right = component.box
        inside = labels[top:bottom, left:right] == component.label
        found = search(np.where(inside, cells[top:bottom, left:right], 0), share)
        rectangles.append(
            _rectangle(cells, top + found.top, left + found.left, top + found.bottom, left + found.right)
        )
    return rectangles


def excess_boxes(
    activation_map: npt.ArrayLike, mass: float = 0.98, map_threshold: float = 0.2, count: int = 1
) -> list[Rectangle]:
    """The smallest rectangles that hold a fraction of the mass that rises above a fraction of the maximum.

    What lies below `map_threshold` counts as 0, what rises above it by how far it does: `mass_boxes` of
    `max(0, A - map_threshold * max A)`. A wide, faint background no longer stretches the rectangle, and no single
    cell decides where it ends.

    Args:
        activation_map: (h, w) array or torch tensor on any device, of any real dtype, >= 0.
        mass: fraction of the excess, 0 < mass <= 1.
        map_threshold: fraction of the maximum, in [0, 1).
        count: boxes at most; several are of the heaviest components of the excess.

    Returns:
        1 to `count` rectangles in cells of the map, heaviest component first; `mass` is the fraction of the whole
        excess inside the rectangle. For a map of zeros the whole map, with mass 0.

    Raises:
        MapError: as for `mass_boxes`, or if `map_threshold` is 1.
    """
    _check_options(map_threshold, count)
    if map_threshold == 1:
        raise MapError("nothing rises above the maximum: map_threshold is below 1 for excess boxes")
    values = checked_map(activation_map).astype(np.float64)
    excess = np.maximum(values - map_threshold * values.max(), 0)
    return mass_boxes(excess, mass, TOUCHED, count)


def _check_options(map_threshold: float, count: int) -> None:
    """Raise MapError for a threshold that is no fraction or a count below 1."""
    if not 0 <= map_threshold <= 1:
        raise MapError(
            f"map_threshold is a fraction of the map's maximum in [0, 1], not {map_threshold}: write 20 % as 0.2"
        )
    if count < 1:
        raise MapError(f"the number of boxes a map is at least 1, not {count}")


def _components(
    values: npt.NDArray[Any], cells: Cells, map_threshold: float
) -> tuple[list[_Component], npt.NDArray[np.int32]]:
    """The components of a map that is not all zeros, heaviest first, and the label of each cell's, (h, w)."""
    # Not values >= map_threshold * maximum: 0.07 * 100 is above 7 in floats, and underflows for tiny maxima.
    mask = (values / values.max() >= map_threshold).astype(np.uint8)
    number, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    masses = np.zeros(number, np.int64)
    np.add.at(masses, labels.ravel(), cells.ravel())
    components = [
        _Component(label, (top, left, top + height, left + width), area, int(masses[label]))
        for label, (left, top, width, height, area) in enumerate(boxes.tolist())
        if label  # 0 is what lies below the threshold
    ]
    components.sort(key=lambda component: (-component.mass, -component.area, component.box))
    return components, labels


def _rectangle(cells: Cells, top: int, left: int, bottom: int, right: int) -> Rectangle:
    """The rectangle with its fraction of the whole map's total, 0 for a map of zeros."""
    total = int(cells.sum())
    inside = int(cells[top:bottom, left:right].sum())
    return Rectangle(top, left, bottom, right, inside / total if total else 0.0)
