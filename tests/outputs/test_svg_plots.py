from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outputs.page_reading import Element, Page
from wsloc.outputs.svg_plots import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Interval,
    Line,
    bar_plot,
    count_ticks,
    interval_plot,
    line_plot,
    round_ticks,
    simplified,
)


def numbers(element: Element, *names: str) -> list[float]:
    return [float(element.attributes[name] or "nan") for name in names]


def path_points(element: Element) -> list[tuple[float, float]]:
    pairs = (element.attributes["d"] or "")[1:].split("L")
    return [(float(pair.split()[0]), float(pair.split()[1])) for pair in pairs]


def test_a_line_goes_from_corner_to_corner() -> None:
    plot = line_plot([Line("up", (0.0, 1.0), (0.0, 100.0))], title="t", x_label="x", y_label="y")
    (line,) = Page(plot).all("path", "line")
    assert path_points(line) == [(LEFT, BOTTOM), (RIGHT, TOP)]


def test_a_plot_says_what_it_shows() -> None:
    page = Page(
        line_plot(
            [Line("up", (0.0, 1.0), (0.0, 100.0))], title="a <b>", x_label="across", y_label="up & down"
        )
    )
    (drawing,) = page.all("svg")
    assert drawing.attributes["role"] == "img"
    assert drawing.attributes["aria-label"] == "a <b>"
    assert {"across", "up & down", "0.2", "80"} <= {element.text for element in page.all("text")}


def test_a_dot_marks_the_highest_point_and_tells_it() -> None:
    line = Line("IoU 0.5", (0.0, 0.25, 0.5), (10.0, 60.0, 20.0), mark="0.5")
    page = Page(line_plot([line], title="t", x_label="x", y_label="y"))
    (dot,) = page.all("circle")
    assert numbers(dot, "cx", "cy") == [
        LEFT + 0.25 * (RIGHT - LEFT),
        pytest.approx(TOP + 0.4 * (BOTTOM - TOP)),
    ]
    assert dot.text == "IoU 0.5: 60.00 % at 0.250"
    (mark,) = page.all("text", "mark")
    assert mark.text == "0.5"
    assert numbers(mark, "y")[0] < numbers(dot, "cy")[0]


def test_a_mark_without_room_above_stands_below() -> None:
    page = Page(line_plot([Line("a", (0.0,), (100.0,), mark="m")], title="t", x_label="x", y_label="y"))
    (mark,) = page.all("text", "mark")
    assert numbers(mark, "y")[0] > TOP
    assert numbers(mark, "x")[0] > LEFT


def test_lines_have_styles_that_differ() -> None:
    lines = [Line(str(number), (0.0, 1.0), (0.0, 1.0)) for number in range(3)]
    found = Page(line_plot(lines, title="t", x_label="x", y_label="y")).all("path", "line")
    assert [element.attributes["class"] for element in found] == ["line line-0", "line line-1", "line line-2"]


def test_bars_are_as_high_as_their_counts() -> None:
    page = Page(bar_plot([0, 10, 40, 20], split=0.5, title="t", x_label="x", y_label="y"))
    bars = page.all("rect")
    heights = [numbers(bar, "height")[0] for bar in bars]
    assert heights == pytest.approx([0, (BOTTOM - TOP) / 4, BOTTOM - TOP, (BOTTOM - TOP) / 2], abs=0.11)
    assert [bar.attributes["class"] for bar in bars] == ["bin", "bin", "bin right", "bin right"]
    assert bars[2].text == "0.50 to 0.75: 40"
    for left, right in pairwise(bars):
        assert sum(numbers(left, "x", "width")) < numbers(right, "x")[0]


def test_rows_lie_on_the_axis_of_their_ticks() -> None:
    rows = [
        Interval("cam", 45.0, 40.0, 50.0),
        Interval("a name that is much too long for it", 42.0, 42.0, 42.0),
    ]
    page = Page(interval_plot(rows, title="t", x_label="error (%)"))
    first, second = page.all("circle")
    assert first.text == "cam: 45.00, interval 40.00 to 50.00"
    ticks = {element.text: numbers(element, "x")[0] for element in page.all("text", "middle")}
    assert numbers(first, "cx")[0] == pytest.approx((ticks["40"] + ticks["50"]) / 2, abs=0.11)
    assert numbers(second, "cy")[0] > numbers(first, "cy")[0]
    names = [element.text for element in page.all("text", "end")]
    assert names[0] == "cam"
    assert names[1].endswith("\N{HORIZONTAL ELLIPSIS}")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**7))
def test_ticks_of_counts_are_few_whole_and_enough(most: int) -> None:
    ticks = count_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 2 <= len(ticks) <= 6
    assert len({right - left for left, right in pairwise(ticks)}) == 1


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_ticks_of_a_range_enclose_it(one: float, other: float) -> None:
    low, high = sorted((one, other))
    ticks = round_ticks(low, high)
    assert ticks[0] <= low + 1e-6
    assert ticks[-1] >= high - 1e-6
    assert 2 <= len(ticks) <= 7
    assert ticks[0] < ticks[-1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_a_simplified_line_stays_close(values: list[float]) -> None:
    points = np.stack([np.arange(len(values), dtype=np.float64), np.array(values)], axis=1)
    kept = simplified(points, 0.5)
    assert np.abs(np.interp(points[:, 0], kept[:, 0], kept[:, 1]) - points[:, 1]).max() <= 0.5 + 1e-9
    assert kept[0].tolist() == points[0].tolist()
    assert kept[-1].tolist() == points[-1].tolist()


def test_a_straight_line_needs_two_points() -> None:
    points = np.stack([np.linspace(0, 1, 1000), np.linspace(5, 9, 1000)], axis=1)
    assert len(simplified(points, 0.1)) == 2
