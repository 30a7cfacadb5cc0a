"""Data sets of a few small scenes, for trainings of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.scenes import CLASSES, make_scene

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 32  # pixels


def write_picture(path: Path, number: int, classes: list[int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = make_scene(np.random.default_rng((81, number)), (SIDE, SIDE + 8), classes)
    Image.fromarray(scene.picture).save(path)


def folder_per_class(root: Path, images: int, classes: int = 3, first: int = 0) -> Path:
    """ROOT/<class>/<number>.png; scenes `first` and following, the classes in turn."""
    for number in range(first, first + images):
        index = number % classes
        write_picture(root / CLASSES[index] / f"{number}.png", number, [index])
    return root


def labels_csv(root: Path, images: int, first: int = 0) -> Path:
    """ROOT/labels.csv and its pictures: every image has one or two of three classes."""
    rows = ["image,label"]
    for number in range(first, first + images):
        present = sorted({number % 3, number // 3 % 3})
        write_picture(root / f"{number}.png", number, present)
        rows.append(f"{number}.png,{';'.join(CLASSES[index] for index in present)}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root / "labels.csv"
