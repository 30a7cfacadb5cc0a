"""The boxes of a map's contours at every threshold at once, as the WSOL protocol draws them.

A map of 256 grey values has at most 255 different masks, whatever the number of thresholds, and most of a smooth
map's masks are one blob: its box follows from the rows and columns that the mask reaches. Contours are searched
for only where a mask is not known to be one blob.

Going down from level to level, a mask gains pixels. It gains a component only with a local maximum, and a hole
closes only over a local minimum; without either in between, components can only merge and holes only open. So
between two levels that both cut a single blob without holes, and no extremum between them, every level does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Boxes = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Grey = npt.NDArray[np.uint8]
    Contours = Sequence[npt.NDArray[Any]]

# Components are 8-connected, so that holes are 4-connected.
_AROUND = np.ones((3, 3), np.uint8)
_BESIDE = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
_BATCH = 512  # contours measured at once: their points stay in the cache


class CandidateBoxes(NamedTuple):
    """The boxes of one map at all thresholds, each distinct mask's once.

    Attributes:
        boxes: (B, 4), xyxy, inclusive, in the frame of the map; mask after mask.
        starts: (L,), where the boxes of each of the L distinct masks begin; each has at least one.
        largest: (L,), which of `boxes` is the largest contour's.
        masks: (T,), the mask, 0 to L - 1, that each threshold cuts.
    """

    boxes: Boxes
    starts: npt.NDArray[np.intp]
    largest: npt.NDArray[np.intp]
    masks: npt.NDArray[np.intp]


def candidate_boxes(values: Floats, thresholds: Floats) -> CandidateBoxes:
    """The boxes of all contours, holes' outlines too, of what lies strictly above each threshold.

    The protocol (Choe et al., CVPR 2020): values times 255 are truncated to grey values, thresholds times the
    largest grey value likewise. The largest contour is that of the largest polygon through the centres of its
    pixels, the first that OpenCV finds where several are. A box's right and bottom edges stand one pixel outside,
    except at the map's border. A mask without a pixel has the box (0, 0, 0, 0).

    Args:
        values: (h, w), 0-1, as `score_map` returns it.
        thresholds: (T,), fractions of the maximum, 0-1, ascending.
    """
    grey = (values * 255).astype(np.uint8)
    levels = (thresholds * int(grey.max())).astype(np.intp)  # (T,)
    pixels_below = np.bincount(grey.ravel(), minlength=256).cumsum()[levels]  # (T,), equal if the masks are
    _, first, masks = np.unique(pixels_below, return_index=True, return_inverse=True)
    distinct = levels[first]  # (L,)
    filled = distinct[distinct < grey.max()]  # without the mask that has no pixel, the last one if any
    searched = _searched_contours(values, grey, filled)
    counts = np.ones(len(distinct), np.intp)
    counts[list(searched)] = [len(contours) for contours in searched.values()]
    starts = np.cumsum(counts) - counts
    outlines = np.zeros((counts.sum(), 5), np.int64)  # outermost pixels, xyxy, and twice the area
    outlines[starts[: len(filled)], :4] = _reach(grey, filled)
    if searched:
        rows = np.repeat(np.isin(np.arange(len(distinct)), list(searched)), counts)
        contours = [contour for mask in sorted(searched) for contour in searched[mask]]
        batches = [contours[start : start + _BATCH] for start in range(0, len(contours), _BATCH)]
        outlines[rows] = np.concatenate([_measured(batch) for batch in batches])
    areas, boxes = outlines[:, 4], outlines[:, :4]
    boxes[:, 2:] = np.minimum(boxes[:, 2:] + 1, (grey.shape[1] - 1, grey.shape[0] - 1))
    boxes[starts[len(filled) :]] = 0
    tops = np.flatnonzero(areas == np.repeat(np.maximum.reduceat(areas, starts), counts))
    return CandidateBoxes(boxes, starts, tops[np.searchsorted(tops, starts)], masks.reshape(-1))


def _searched_contours(values: Floats, grey: Grey, levels: npt.NDArray[np.intp]) -> dict[int, Contours]:
    """The contours of the masks, by their place in `levels` (L,), that are not known to be one blob without holes."""
    found: dict[int, Contours] = {}

    def is_blob(place: int) -> bool:
        """Whether a mask has one contour, which is then an outer one."""
        if place not in found:
            _, mask = cv2.threshold(grey, int(levels[place]), 255, cv2.THRESH_BINARY)
            # RETR_TREE although the tree is not read: the order, which settles ties, is that of the protocol.
            found[place] = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
        return len(found[place]) == 1

    spans = _spans_without_extrema(values, grey, levels)
    while spans:
        low, high = spans.pop()
        both = is_blob(low) & is_blob(high)  # & and not `and`: both ends are searched in any case
        if high - low > 1 and not both:
            spans += [(low, (low + high) // 2), ((low + high) // 2, high)]
    return found


def _spans_without_extrema(values: Floats, grey: Grey, levels: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    """Ranges of places in `levels`, both ends included, between whose masks no pixel is an extremum of the map.

    Extrema are meant weakly, so that a plateau is nothing but extrema; and in the map's own values, of which grey
    values are a coarser order: in them every pixel would be one.
    """
    if not len(levels):
        return []
    extreme = values == cv2.dilate(values, _AROUND)
    minimal = values == cv2.erode(values, _BESIDE)
    extreme[1:-1, 1:-1] |= minimal[1:-1, 1:-1]  # at the border no hole closes
    below = np.bincount(grey[extreme], minlength=256).cumsum()[levels]
    breaks = np.flatnonzero(np.diff(below))
    return list(zip([0, *(breaks + 1).tolist()], [*breaks.tolist(), len(levels) - 1], strict=True))


def _reach(grey: Grey, levels: npt.NDArray[np.intp]) -> Boxes:
    """The outermost rows and columns of what lies above each level: (L, 4), xyxy, inclusive."""
    edges = []
    for peaks in (grey.max(axis=0), grey.max(axis=1)):
        above = peaks > levels[:, None]  # (L, w), then (L, h)
        edges.append((above.argmax(axis=1), len(peaks) - 1 - above[:, ::-1].argmax(axis=1)))
    (left, right), (top, bottom) = edges
    return np.stack([left, top, right, bottom], axis=1)


def _measured(contours: Contours) -> Boxes:
    """Outermost pixels, xyxy, and twice the enclosed area of contours: (n, 5).

    The same numbers as from `cv2.boundingRect` and `cv2.contourArea`, for all contours in one go.
    """
    lengths = np.fromiter(map(len, contours), np.intp, len(contours))
    ends = lengths.cumsum()
    starts = ends - lengths
    points = np.concatenate(contours)
    x, y = np.ascontiguousarray(points[:, 0, 0]), np.ascontiguousarray(points[:, 0, 1])  # (points,) each
    cross = x * _following(y, starts, ends) - _following(x, starts, ends) * y
    return np.stack(
        [
            np.minimum.reduceat(x, starts),
            np.minimum.reduceat(y, starts),
            np.maximum.reduceat(x, starts),
            np.maximum.reduceat(y, starts),
            abs(np.add.reduceat(cross, starts)),
        ],
        axis=1,
    )


def _following(
    points: npt.NDArray[np.int32], starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
) -> npt.NDArray[np.int32]:
    """The next coordinate along each contour; the first one follows the last."""
    following = np.empty_like(points)
    following[:-1] = points[1:]
    following[ends - 1] = points[starts]
    return following
