"""Plots as inline SVG: their colours are classes, so that a page's style sheet can follow light and dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.outputs.markup import joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from wsloc.outputs.markup import Markup

WIDTH, HEIGHT = 480, 300  # units of the drawing, which is scaled to its place in the page
LEFT, RIGHT, TOP, BOTTOM = 46, 466, 12, 254  # edges of the plotting area
LABELS, ROW, LONGEST_LABEL = 184, 26, 25  # of an interval plot: where rows begin, their height, letters
STYLES = 7  # line styles that the style sheet has: .line-0 to .line-6
TOLERANCE = 0.15  # units: what a line may be simplified by
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # along the x axis, which is a fraction in every plot


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plot.

    Attributes:
        name: words for its peak's tooltip.
        x: 0-1, ascending.
        y: 0-100, one for each x.
        mark: words written at the highest point; none if empty.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A row of `interval_plot`.

    Attributes:
        name: words at its left.
        value: where the dot is.
        low: end of its interval; the value itself where there is none.
        high: the other end.
    """

    name: str
    value: float
    low: float
    high: float


def line_plot(lines: Sequence[Line], *, title: str, x_label: str, y_label: str) -> Markup:
    """Lines over 0-1 across and 0-100 % up, each with a dot at its highest point.

    The n-th line has the class `line-<n>`, beyond `STYLES` they repeat.

    Args:
        lines: drawn in this order.
        title: what the plot shows, for those who cannot see it.
        x_label: below.
        y_label: beside.
    """
    parts = [_frame(np.linspace(0, 100, 6), 100.0, x_label, y_label)]
    for number, line in enumerate(lines):
        style = f"line-{number % STYLES}"
        points = np.stack([_across(line.x), _up(line.y, 100.0)], axis=1)  # (N, 2), units of the drawing
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in simplified(points, TOLERANCE))
        parts += [tag("path", d=path, class_=f"line {style}"), _peak(line, style)]
    return _drawing(title, parts)


def bar_plot(counts: Sequence[int], *, split: float, title: str, x_label: str, y_label: str) -> Markup:
    """A histogram over 0-1 in bins of one width; from `split` on the bars have the class `right`.

    Args:
        counts: of the bins.
        split: 0-1, between two bins.
        title: what the plot shows, for those who cannot see it.
        x_label: below.
        y_label: beside.
    """
    steps = count_ticks(max(counts, default=0))
    top = float(steps[-1])
    edges = np.linspace(0, 1, len(counts) + 1)  # (bins + 1,)
    left, upper = _across(edges), _up(counts, top)
    parts = [_frame(np.array(steps, dtype=np.float64), top, x_label, y_label)]
    for number, count in enumerate(counts):
        parts.append(
            tag(
                "rect",
                tag("title", f"{edges[number]:.2f} to {edges[number + 1]:.2f}: {count:,}"),
                x=f"{left[number] + 0.8:.1f}",
                y=f"{upper[number]:.1f}",
                width=f"{left[number + 1] - left[number] - 1.6:.1f}",
                height=f"{BOTTOM - upper[number]:.1f}",
                class_="bin right" if edges[number] >= split - 1e-9 else "bin",
            )
        )
    parts.append(_vertical(split))
    return _drawing(title, parts)


def interval_plot(rows: Sequence[Interval], *, title: str, x_label: str) -> Markup:
    """A row a figure: a dot on its interval; across only the range that is used.

    Args:
        rows: top to bottom.
        title: what the plot shows, for those who cannot see it.
        x_label: below.
    """
    ticks = round_ticks(min(row.low for row in rows), max(row.high for row in rows))
    bottom = TOP + ROW * len(rows)
    parts = []
    for tick in ticks:
        x = f"{_along(tick, ticks):.1f}"
        parts.append(tag("path", d=f"M{x} {TOP}V{bottom}", class_="grid"))
        parts.append(tag("text", f"{tick:g}", x=x, y=bottom + 18, class_="middle"))
    for number, row in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        low, value, high = (f"{_along(end, ticks):.1f}" for end in (row.low, row.value, row.high))
        words = tag("title", f"{row.name}: {row.value:.2f}, interval {row.low:.2f} to {row.high:.2f}")
        parts += [
            tag("text", _shortened(row.name), x=LABELS - 14, y=y, dy="0.35em", class_="end"),
            tag("path", d=f"M{low} {y}H{high}", class_="whisker"),
            tag("circle", words, cx=value, cy=y, r=4.5, class_="dot line-0"),
        ]
    parts.append(tag("text", x_label, x=(LABELS + RIGHT) / 2, y=bottom + 42, class_="middle"))
    return _drawing(title, parts, bottom + 52)


def round_ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers, of which the first is at most `low` and the last at least `high`."""
    rough = max(high - low, 1e-3) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(number * step, 9) for number in range(first, last + 1)]


def count_ticks(most: int) -> list[int]:
    """Four or five whole, round numbers from 0 to `most` or just beyond it."""
    rough = max(most, 4) / 4
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    whole = math.ceil(step)
    return list(range(0, whole * math.ceil(max(most, 1) / whole) + 1, whole))


def simplified(points: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.float64]:
    """A line (N, 2), x ascending, with as few of its points as keep every y within `tolerance`.

    Between two kept points the farthest of the others is kept too if it is off their chord by more (Douglas and
    Peucker, Cartographica 1973, with the vertical distance).
    """
    kept = np.zeros(len(points), dtype=np.bool_)
    kept[[0, -1]] = True
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        first, last = open_spans.pop()
        if last - first < 2:
            continue
        x, y = points[first : last + 1].T
        offsets = np.abs(y - np.interp(x, x[[0, -1]], y[[0, -1]]))
        farthest = first + int(offsets.argmax())
        if offsets.max() > tolerance:
            kept[farthest] = True
            open_spans += [(first, farthest), (farthest, last)]
    return points[kept]


def _along(value: float, ticks: Sequence[float]) -> float:
    """A value as x of an `interval_plot`, whose names take the left."""
    return LABELS + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (RIGHT - LABELS)


def _shortened(name: str) -> str:
    """A name that fits beside its row."""
    return name if len(name) <= LONGEST_LABEL else name[: LONGEST_LABEL - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _drawing(title: str, parts: Sequence[Markup], height: float = HEIGHT) -> Markup:
    """The svg element, named for screen readers."""
    view = f"0 0 {WIDTH} {height:g}"
    return tag("svg", joined(parts), viewBox=view, class_="plot", role="img", aria_label=title)


def _frame(levels: npt.NDArray[np.float64], top: float, x_label: str, y_label: str) -> Markup:
    """Grid, numbers and words of both axes."""
    return joined(
        [
            *(part for level in levels for part in _level(float(level), top)),
            *(part for tick in TICKS for part in _tick(tick)),
            tag("text", x_label, x=(LEFT + RIGHT) / 2, y=HEIGHT - 8, class_="middle"),
            tag(
                "text", y_label, transform=f"translate(12 {(TOP + BOTTOM) / 2}) rotate(-90)", class_="middle"
            ),
        ]
    )


def _level(level: float, top: float) -> Iterator[Markup]:
    """A horizontal grid line and its number."""
    y = f"{_up([level], top)[0]:.1f}"
    yield tag("path", d=f"M{LEFT} {y}H{RIGHT}", class_="axis" if level == 0 else "grid")
    yield tag("text", f"{level:,.0f}", x=LEFT - 6, y=y, dy="0.35em", class_="end")


def _tick(tick: float) -> Iterator[Markup]:
    """A short line on the x axis and its number."""
    x = f"{_across([tick])[0]:.1f}"
    yield tag("path", d=f"M{x} {BOTTOM}v4", class_="axis")
    yield tag("text", f"{tick:.1f}", x=x, y=BOTTOM + 18, class_="middle")


def _vertical(position: float) -> Markup:
    """A dashed line up the whole plot."""
    return tag("path", d=f"M{_across([position])[0]:.1f} {TOP}V{BOTTOM}", class_="split")


def _peak(line: Line, style: str) -> Markup:
    """A dot at the highest point, its words above it, or below where there is no room."""
    position = int(np.argmax(line.y))
    x, y = float(_across(line.x)[position]), float(_up(line.y, 100.0)[position])
    words = tag("title", f"{line.name}: {line.y[position]:.2f} % at {line.x[position]:.3f}")
    dot = tag("circle", words, cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, class_=f"dot {style}")
    if not line.mark:
        return dot
    below = y - 10 < TOP + 8
    height = f"{y + 18 if below else y - 9:.1f}"
    mark = tag(
        "text",
        line.mark,
        x=f"{min(max(x, LEFT + 24), RIGHT - 24):.1f}",
        y=height,
        class_=f"mark middle {style}",
    )
    return joined([dot, mark])


def _across(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Fractions (0-1) as x of the drawing."""
    return LEFT + np.asarray(values, dtype=np.float64) * (RIGHT - LEFT)


def _up(values: npt.ArrayLike, top: float) -> npt.NDArray[np.float64]:
    """Values from 0 to `top` as y of the drawing, which counts downwards."""
    return BOTTOM - np.asarray(values, dtype=np.float64) / top * (BOTTOM - TOP)
