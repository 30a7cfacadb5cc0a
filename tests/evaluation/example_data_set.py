"""A small annotated data set in Tiny ImageNet's layout: generated scenes of the demo checkpoint's classes."""

from __future__ import annotations

import json
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


STRANGER = 200  # value of a class that no network knows


def write_mask_set(folder: Path, count: int = 4, seed: int = 0) -> Path:
    """`count` scenes of two classes each with masks: values are 10 x (class index + 1), and a corner is void.

    Each picture also shows something of the class `stranger`, in another corner.
    """
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        pair = [number % len(CLASSES), (number + 2) % len(CLASSES)]
        scene = make_scene(np.random.default_rng((seed, number)), (64, 80), pair)
        mask = scene.mask * 10
        mask[:6, :6], mask[-9:, -9:] = 255, STRANGER
        Image.fromarray(scene.picture).save(folder / "images" / f"{number}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    entries = [{"value": 10 * place, "class_id": name} for place, name in enumerate(CLASSES, start=1)]
    entries.append({"value": STRANGER, "class_id": "stranger"})
    (folder / "classes.json").write_text(json.dumps({"classes": entries}))
    (folder / "list.txt").write_text("0\n1\n")
    return folder
