"""Activation maps of the kinds that boxes are searched in; the same maps for the same arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def softmax_like(size: int, random_seed: int) -> npt.NDArray[np.float32]:
    """A softmax over a 7 x 7 or 14 x 14 grid of smooth random logits, upsampled bilinearly to size x size."""
    generator = np.random.default_rng([1, random_seed])
    grid = int(generator.choice([7, 14]))
    logits = generator.normal(size=(grid, grid)).astype(np.float32)
    logits = cv2.GaussianBlur(logits, (0, 0), 1.0) * generator.uniform(3, 12)
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    upsampled = cv2.resize(probabilities, (size, size), interpolation=cv2.INTER_LINEAR)
    return cast("npt.NDArray[np.float32]", upsampled.astype(np.float32))


def gaussian(size: int, random_seed: int) -> npt.NDArray[np.float32]:
    """One Gaussian bump of random place, height and width."""
    generator = np.random.default_rng([2, random_seed])
    place = (np.arange(size) + 0.5) / size
    centre, spread = generator.uniform(0.25, 0.75, 2), generator.uniform(0.06, 0.25, 2)
    rows, columns = (
        np.exp(-(((place - middle) / width) ** 2) / 2) for middle, width in zip(centre, spread, strict=True)
    )
    return np.outer(rows, columns).astype(np.float32)


def spike_and_tail(size: int, random_seed: int) -> npt.NDArray[np.float32]:
    """One heavy cell and 2-4 % of the mass spread evenly: every shape of one area holds the same, nearly."""
    generator = np.random.default_rng([3, random_seed])
    tail = generator.uniform(0.02, 0.04)
    values = np.full((size, size), tail / size**2)
    row, column = generator.integers(size // 4, 3 * size // 4, 2)
    values[row, column] += 1 - tail
    return values.astype(np.float32)
