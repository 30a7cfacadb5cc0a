"""A small annotated data set in Tiny ImageNet's layout: generated scenes of the demo checkpoint's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.scenes import CLASSES, make_scene

if TYPE_CHECKING:
    from pathlib import Path


def write_data_set(folder: Path, count: int = 8, seed: int = 0) -> Path:
    """`count` scenes of one object each, of 64 x 80 pixels, with their boxes (inclusive corners, as the format is)."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(count):
        index = number % len(CLASSES)
        scene = make_scene(np.random.default_rng((seed, number)), (64, 80), [index])
        (x0, y0, x1, y1) = scene.boxes[0][1]
        Image.fromarray(scene.picture).save(folder / "images" / f"{number}.png")
        rows.append(f"{number}.png\t{CLASSES[index]}\t{x0}\t{y0}\t{x1 - 1}\t{y1 - 1}")
    (folder / "val_annotations.txt").write_text("\n".join(rows) + "\n")
    return folder


def write_kaggle(path: Path, data: Path) -> Path:
    """The boxes of such a data set as Kaggle's CSV, which names no pictures and knows no sizes."""
    rows = ["ImageId,PredictionString"]
    for line in (data / "val_annotations.txt").read_text().splitlines():
        name, label, *box = line.split("\t")
        rows.append(f"{name.removesuffix('.png')},{label} {' '.join(box)}")
    path.write_text("\n".join(rows) + "\n")
    return path
