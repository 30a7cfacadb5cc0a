"""How long map thresholds and guess tables take to score, beside doing it threshold by threshold.

    python tests/benchmarks/bench_metrics.py [--maps 12] [--images 50000]

Run by hand, on an idle core. The baseline is the protocol as it is worded: 1,000 thresholds a map, each with its
mask, contours and boxes (the largest contour's alone, and every contour's), IoU vectorised over all of them. Ours
is `MaxBoxAcc.update`, which counts both contour rules at once, its checks and IoU included. Both are measured in
processor time, the better of two calls each, one map after the other in one run.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.reference.example_maps import gaussian, softmax_like
from wsloc.metrics.imagenet import GuessTable, Truth, judge, known_boxes, known_overlaps
from wsloc.metrics.max_box_acc import MaxBoxAcc, best_inclusive_iou, protocol_boxes
from wsloc.metrics.pixel_average_precision import PixelAveragePrecision
from wsloc.metrics.summaries import figure, grouped_means

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Map = npt.NDArray[np.float64]

SIDE = 224
THRESHOLDS = np.arange(0, 1, 0.001)
TRUTH = np.array([[40.0, 30, 180, 200], [60, 60, 120, 220]])


def milliseconds(function: Callable[[], object], calls: int = 2) -> float:
    """Processor time of the best of some calls."""
    times = []
    for _ in range(calls):
        start = process_time()
        function()
        times.append(process_time() - start)
    return min(times) * 1e3


def noisy(size: int, random_seed: int) -> npt.NDArray[np.float32]:
    """A smooth map with many small contours at every level."""
    noise = np.random.default_rng([4, random_seed]).normal(0, 0.08, (size, size)).astype(np.float32)
    smooth = gaussian(size, random_seed)
    values = smooth / smooth.max() + np.asarray(cv2.GaussianBlur(noise, (0, 0), 1))
    return np.asarray(values.clip(0), np.float32)


def threshold_by_threshold(values: Map, *, multi: bool) -> Map:
    """Best IoU at each threshold, (T,), by 1,000 passes."""
    grey = (values * 255).astype(np.uint8)
    found, counts = [], []
    for threshold in THRESHOLDS:
        _, mask = cv2.threshold(grey, int(threshold * grey.max()), 255, cv2.THRESH_BINARY)
        contours = list(cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0])
        if contours and not multi:
            contours = [max(contours, key=cv2.contourArea)]
        boxes = [cv2.boundingRect(contour) for contour in contours] or [(0, 0, 0, 0)]
        found += [[x, y, min(x + w, SIDE - 1), min(y + h, SIDE - 1)] for x, y, w, h in boxes]
        counts.append(len(boxes))
    overlaps = best_inclusive_iou(np.array(found), protocol_boxes(TRUTH, (SIDE, SIDE)))
    return np.asarray(np.maximum.reduceat(overlaps, np.cumsum([0, *counts[:-1]])))


def bench_maps(number: int) -> None:
    """Milliseconds a map, and ours as a fraction of the baseline."""
    print(f"1,000 thresholds of a map, milliseconds, median over {number} maps")
    print("maps             ours    largest contour, ours / it    every contour, ours / it     PxAP")
    for name, maker in {"softmax-like": softmax_like, "Gaussian": gaussian, "noisy": noisy}.items():
        times = []
        for seed in range(number):
            values = maker(SIDE, seed).astype(np.float64)
            values /= values.max()
            mask = (values > 0.4).astype(np.uint8)
            times.append(
                (
                    milliseconds(partial(MaxBoxAcc().update, values, TRUTH, (SIDE, SIDE))),
                    milliseconds(partial(threshold_by_threshold, values, multi=False)),
                    milliseconds(partial(threshold_by_threshold, values, multi=True)),
                    milliseconds(partial(PixelAveragePrecision().update, values, mask)),
                )
            )
        ours, single, multi, pixels = (median(column) for column in zip(*times, strict=True))
        ratios = [
            f"{median(shares):.2f}, at most {max(shares):.2f}"
            for shares in ([row[0] / row[column] for row in times] for column in (1, 2))
        ]
        print(
            f"{name:<14}{ours:>7.1f}{single:>10.1f}   {ratios[0]}{multi:>10.1f}   {ratios[1]}{pixels:>9.1f}",
            flush=True,
        )


def random_boxes(random: np.random.Generator, number: int) -> Map:
    """(n, 4), xyxy, in images of 500 x 375."""
    low = random.uniform(0, 250, (number, 2))
    return np.concatenate([low, low + random.uniform(20, 120, (number, 2))], axis=1)


def bench_guesses(images: int) -> None:
    """Seconds for five guesses an image against 1.6 true boxes an image, all figures together."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 1000, images)
    owners = np.sort(np.concatenate([np.arange(images), random.integers(0, images, images * 3 // 5)]))
    sizes = np.tile([375.0, 500.0], (images, 1))
    boxes = random_boxes(random, len(owners))
    truth = Truth(sizes, np.arange(images), labels, owners, labels[owners], boxes)
    table = GuessTable(images)
    table.labels[:] = random.integers(0, 1000, (images, 5))
    table.labels[np.arange(images), random.integers(0, 5, images)] = labels
    table.boxes[:] = random_boxes(random, images * 5).reshape(images, 5, 4)
    table.answered[:] = True

    def all_figures() -> None:
        judgement = judge(table, truth)
        for top in (1, 5):
            for wrong in (judgement.wrong_class(top), judgement.wrong_box(top)):
                figure(wrong)
                grouped_means(wrong, labels, 1000)
                grouped_means(wrong, truth.size_bins(), 4)
        figure(known_overlaps(known_boxes(table, truth).boxes, truth) < 0.5)

    print(f"\n{images} images x 5 guesses x {len(owners)} true boxes")
    print(f"judged: {milliseconds(partial(judge, table, truth)) / 1e3:.2f} s")
    print(f"all figures, by class and size, with intervals: {milliseconds(all_figures) / 1e3:.2f} s")
    fill = milliseconds(partial(fill_row_by_row, images), 1) / 1e3
    print(f"a table of that size filled row by row: {fill:.2f} s")


def fill_row_by_row(images: int) -> None:
    """Fill a table as a reader of predictions does."""
    table = GuessTable(images)
    labels, boxes = [1, 2, 3, 4, 5], [(0.0, 0.0, 10.0, 10.0)] * 5
    for image in range(images):
        table.put(image, labels, boxes)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--maps", type=int, default=12, help="of each kind")
    parser.add_argument("--images", type=int, default=50_000)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bench_maps(options.maps)
    bench_guesses(options.images)


if __name__ == "__main__":
    main()
