"""How long `smallest_rectangle` takes, and how much less than two pointers for each pair of rows.

    python tests/benchmarks/bench_rectangle.py [--quick]

Run by hand, on an idle core: times are medians over random maps, each the best of a few calls, from the float32
map to the rectangle. Two pointers are run on the first few of the same maps, once as they are ("plain") and once
passing over the pairs of rows that are too light at full width ("skipping"); they get the map in integers, so
their preparation is not counted. Ratios are medians over maps.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.reference.example_maps import gaussian, softmax_like, spike_and_tail
from tests.reference.rectangle_literal import by_two_pointers
from wsloc.regions.cells import integer_cells
from wsloc.regions.rectangle import search, smallest_rectangle

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    Map = npt.NDArray[np.float32]
    Maker = Callable[[int, int], Map]


@dataclass(frozen=True)
class Row:
    """One row of the table: which maps, and how many of them the slow baseline is run on too."""

    name: str
    makers: tuple[Maker, ...]
    size: int
    mass: float
    maps: int
    baseline_maps: int


SMOOTH = (softmax_like, gaussian)
ROWS = (
    Row("smooth", SMOOTH, 224, 0.98, 200, 6),
    Row("softmax-like", (softmax_like,), 224, 0.98, 100, 4),
    Row("Gaussian", (gaussian,), 224, 0.98, 100, 4),
    Row("smooth", SMOOTH, 224, 0.9, 60, 4),
    Row("smooth", SMOOTH, 224, 0.5, 60, 4),
    Row("spike and tail", (spike_and_tail,), 224, 0.98, 20, 2),
    Row("spike and tail", (spike_and_tail,), 512, 0.98, 10, 0),
    Row("smooth", SMOOTH, 28, 0.98, 100, 20),
    Row("smooth", SMOOTH, 14, 0.98, 100, 20),
)


def best_of(calls: int, function: Callable[[], object]) -> float:
    """The shortest of some calls, in milliseconds."""
    times = []
    for _ in range(calls):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times) * 1e3


def measure(row: Row) -> str:
    """One line of the table."""
    share = Fraction(str(row.mass))
    maps = [row.makers[seed % len(row.makers)](row.size, seed) for seed in range(row.maps)]
    times = [best_of(5, partial(smallest_rectangle, values, row.mass)) for values in maps]
    tests = [search(integer_cells(values), share).window_tests for values in maps]
    baselines = [ratio(row, share, maps, times, skip_light=skip_light) for skip_light in (False, True)]
    return (
        f"{row.name:<15}{row.size:>5}{row.mass:>6}{median(times):>10.3f}{max(times):>8.3f}"
        f"{median(tests):>8.0f}{max(tests):>5}{baselines[0]:>18}{baselines[1]:>18}"
    )


def ratio(row: Row, share: Fraction, maps: list[Map], times: list[float], *, skip_light: bool) -> str:
    """Median milliseconds of two pointers on the first maps, and of how many times as long they took."""
    if not row.baseline_maps:
        return "-"
    slow = []
    for values in maps[: row.baseline_maps]:
        cells = integer_cells(values)
        slow.append(best_of(1, partial(by_two_pointers, cells, share, skip_light=skip_light)))
    ratios = [baseline / fast for baseline, fast in zip(slow, times, strict=False)]
    return f"{median(slow):.1f} {median(ratios):6.0f} x"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the maps")
    quick = parser.parse_args().quick
    print("                             milliseconds  window tests     two pointers: milliseconds, ratio")
    print("maps            size  mass    median     max  median  max             plain          skipping")
    for row in ROWS:
        fewer = replace(row, maps=row.maps // 5, baseline_maps=min(row.baseline_maps, 2))
        print(measure(fewer if quick else row), flush=True)


if __name__ == "__main__":
    main()
