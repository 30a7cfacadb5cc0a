"""A scored folder of seeds: three images of cats and dogs, two of them with seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from wsloc.evaluation.mask_truth import MaskTruth
from wsloc.evaluation.seed_scores import SeedScores
from wsloc.inputs.mask_classes import MaskClass
from wsloc.inputs.masks import value_table
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = (MaskClass(7, "n1", "cat"), MaskClass(9, "n2", "dog"), MaskClass(11, "n3", "cow"))
NUMBERING = ((1, "cat"), (2, "dog"))
NUMBERS = {"cat": 1, "dog": 2}
# name -> labels, true values, values of the seeds
IMAGES = {
    "a": (("cat",), [[0, 0, 1, 1], [0, 255, 1, 1]], [[0, 0, 7, 7], [0, 7, 7, 255]]),
    "b": (("cat", "dog"), [[1, 1, 2, 2]], [[7, 9, 0, 9]]),
    "c": (("dog",), [[0, 2]], None),
}


def write(path: Path, values: list[list[int]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)
    return path


def scored(folder: Path) -> SeedScores:
    """The scores of these images; c has no seeds."""
    samples = {}
    for name, (labels, truth, _) in IMAGES.items():
        mask = write(folder / f"truth/{name}.png", truth)
        samples[name] = Sample(name, None, labels, masks=(mask,), mask_labels=NUMBERING)
    truth_of = MaskTruth.of([*samples.values()], {"cat": 0, "dog": 1}, scored=range(len(CLASSES)))
    assert truth_of is not None
    table = value_table({entry.value: number for number, entry in enumerate(CLASSES, start=1)})
    scores = SeedScores(truth_of, table)
    for name, (labels, _, seeds) in IMAGES.items():
        path = None if seeds is None else write(folder / f"seeds/{name}.png", seeds)
        scores.add(samples[name], path, [NUMBERS[label] for label in labels])
    return scores
