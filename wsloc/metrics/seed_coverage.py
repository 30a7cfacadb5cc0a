"""What seeds cover, and how evenly the classes are served; needs no ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class ClassCoverage:
    """The seeds of one class over a run.

    Attributes:
        value: its number in the seeds.
        images: how many are labelled with it.
        without_pixels: in how many of these it has no pixel.
        pixels: how many are its own, over all images.
        share: of all foreground pixels, 0-1.
        mean_area: of its images' pixels, the mean over these images, 0-1.
    """

    value: int
    images: int
    without_pixels: int
    pixels: int
    share: float
    mean_area: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the seeds of a run cover.

    Attributes:
        images: how many have seeds.
        pixels: of all these images.
        foreground: of all pixels, 0-1.
        background: likewise.
        ignore: likewise.
        classes: those that an image is labelled with, in the order of their numbers.
    """

    images: int
    pixels: int
    foreground: float
    background: float
    ignore: float
    classes: tuple[ClassCoverage, ...]


@dataclass(slots=True)
class _Count:
    images: int = 0
    without_pixels: int = 0
    pixels: int = 0
    areas: float = 0.0


class SeedCoverage:
    """Adds up images.

    Args:
        values: the numbers of all classes.
    """

    def __init__(self, values: Sequence[int]) -> None:
        self._counts = {value: _Count() for value in values}
        self._images = self._background = self._ignore = self._foreground = 0

    def add(self, classes: Iterable[tuple[int, int]], background: int, ignore: int) -> None:
        """Add an image.

        Args:
            classes: `(value, pixels)` of each of its labels.
            background: its pixels of no class.
            ignore: those that are not learnt from.
        """
        classes = list(classes)
        foreground = sum(pixels for _, pixels in classes)
        total = foreground + background + ignore
        for value, pixels in classes:
            count = self._counts[value]
            count.images += 1
            count.without_pixels += not pixels
            count.pixels += pixels
            count.areas += pixels / max(total, 1)
        self._images += 1
        self._foreground += foreground
        self._background += background
        self._ignore += ignore

    def result(self) -> Coverage:
        """What all of them came to."""
        total = self._foreground + self._background + self._ignore
        classes = tuple(
            ClassCoverage(
                value,
                count.images,
                count.without_pixels,
                count.pixels,
                count.pixels / max(self._foreground, 1),
                count.areas / count.images,
            )
            for value, count in sorted(self._counts.items())
            if count.images
        )
        foreground, background, ignore = (
            pixels / max(total, 1) for pixels in (self._foreground, self._background, self._ignore)
        )
        return Coverage(self._images, total, foreground, background, ignore, classes)
