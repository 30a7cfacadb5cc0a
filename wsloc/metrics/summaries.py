"""From a number an image to figures: means with their intervals, by class or size, and histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
_CHUNK = 20_000_000  # drawn numbers held at once: 160 MB


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over images, and how sure it is.

    Attributes:
        value: the mean; for an error a fraction, 0-1.
        lower: end of its interval.
        upper: end of its interval.
        images: how many it is the mean of.
    """

    value: float
    lower: float
    upper: float
    images: int


class GroupedMeans(NamedTuple):
    """Means by group.

    Attributes:
        images: (G,), how many each group has.
        means: (G,), NaN for an empty group.
    """

    images: npt.NDArray[np.int64]
    means: Floats


class Histogram(NamedTuple):
    """Counts between edges; each bin holds its lower edge, the last one both.

    Attributes:
        counts: (B,)
        edges: (B + 1,), ascending.
    """

    counts: npt.NDArray[np.int64]
    edges: Floats


def figure(
    values: npt.ArrayLike, *, confidence: float = 0.95, resamples: int = RESAMPLES, random_seed: int = 0
) -> Figure:
    """The mean of one value an image, with its bootstrap interval.

    Args:
        values: (N,), N >= 1, such as 1 for a wrong image and 0 for a right one.
        confidence: of the interval, 0-1.
        resamples: of the images.
        random_seed: of the resampling.

    Raises:
        ValueError: if there are no images.
    """
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    lower, upper = bootstrap_interval(
        numbers, confidence=confidence, resamples=resamples, random_seed=random_seed
    )
    return Figure(float(numbers.mean()), lower, upper, len(numbers))


def bootstrap_interval(
    values: npt.ArrayLike, *, confidence: float = 0.95, resamples: int = RESAMPLES, random_seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean of (N,) values (Efron and Tibshirani 1993, section 13.3).

    A mean does not ask which images were drawn, only how often each value was: a resample is one multinomial
    draw over the distinct values, two of them where images are right or wrong.

    Raises:
        ValueError: if there are no values.
    """
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if not len(numbers):
        raise ValueError("no images to judge")
    distinct, counts = np.unique(numbers, return_counts=True)
    random = np.random.default_rng(random_seed)
    rows = max(1, _CHUNK // len(distinct))
    means = np.concatenate(
        [
            random.multinomial(len(numbers), counts / len(numbers), size=min(rows, resamples - done))
            @ distinct
            for done in range(0, resamples, rows)
        ]
    ) / len(numbers)  # (resamples,)
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(means, [tail, 1 - tail])
    return float(lower), float(upper)


def grouped_means(values: npt.ArrayLike, groups: npt.ArrayLike, number: int) -> GroupedMeans:
    """The mean of one value an image in each of some groups, such as classes or bins of object size.

    Args:
        values: (N,)
        groups: (N,), 0 to `number` - 1; images of a negative group are left out.
        number: of groups.
    """
    numbers, members = np.asarray(values, dtype=np.float64), np.asarray(groups, dtype=np.int64)
    numbers, members = numbers[members >= 0], members[members >= 0]
    images = np.bincount(members, minlength=number)
    sums = np.bincount(members, weights=numbers, minlength=number)
    means = np.divide(sums, images, out=np.full(number, np.nan), where=images > 0)
    return GroupedMeans(images, means)


def iou_histogram(overlaps: npt.ArrayLike, bins: int = 20) -> Histogram:
    """How many images have which IoU; 0.5 is an edge for every even number of bins.

    Args:
        overlaps: (N,), 0-1.
        bins: of equal width.
    """
    edges = np.arange(bins + 1) / bins
    counts, _ = np.histogram(np.asarray(overlaps, dtype=np.float64), bins=edges)
    return Histogram(counts.astype(np.int64), edges)
