"""Maps of 224 x 224 values in 0-1 that contours, holes, ties and empty masks come from."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.float64]

SIDE = 224


def blank() -> Map:
    return np.zeros((SIDE, SIDE))


def smooth(seed: int, peak: float = 1.0) -> Map:
    noise = np.random.default_rng(seed).random((SIDE, SIDE))
    values = np.asarray(cv2.GaussianBlur(noise, (0, 0), 11), np.float64)
    values -= values.min()
    return np.asarray(values / values.max() * peak)


def rings() -> Map:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - 100, columns - 120)
    return np.asarray(np.exp(-(((distance - 50) / 6) ** 2)) + 0.7 * np.exp(-(((distance - 20) / 4) ** 2)))


def plateaus() -> Map:
    values = blank()
    values[20:200, 30:90] = 0.3
    values[60:120, 50:210] = 0.6
    values[80:90, 60:64] = 1
    return values


def one_pixel(row: int, column: int) -> Map:
    values = blank()
    values[row, column] = 0.8
    return values


def speckles() -> Map:
    generator = np.random.default_rng(5)
    return np.where(generator.random((SIDE, SIDE)) < 0.0005, generator.integers(1, 4, (SIDE, SIDE)) / 3, 0)


MAPS: dict[str, npt.NDArray[np.floating]] = {
    "smooth": smooth(0),
    "smooth and dim": smooth(1, 0.37),
    "rings": np.clip(rings(), 0, 1),
    "plateaus": plateaus(),
    "one pixel": one_pixel(100, 30),
    "one pixel in the corner": one_pixel(SIDE - 1, SIDE - 1),
    "zeros": blank(),
    "nearly zeros": np.full((SIDE, SIDE), 0.003),
    "constant": np.full((SIDE, SIDE), 0.5),
    "ones": np.ones((SIDE, SIDE)),
    "speckles": speckles(),
    "float32": smooth(2).astype(np.float32),
}
