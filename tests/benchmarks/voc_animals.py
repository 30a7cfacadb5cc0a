"""The cats, cows, dogs, horses and sheep of Pascal VOC: lists of labels, truth, and the mIoU of seeds.

Their folder holds images/, masks/ (VOC's indices, 255 void), train.txt and dev.txt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F

from wsloc.inputs.masks import read_mask

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from wsloc.records import Sample

ANIMALS = {8: "cat", 10: "cow", 12: "dog", 13: "horse", 17: "sheep"}  # VOC's index -> name
HELD_BACK = 300  # of the training images
LEVELS = 100  # scores of the background that are tried, 0.00 to 0.99


def write_lists(data: Path, folder: Path) -> None:
    """The three CSVs of image labels."""
    train = (data / "train.txt").read_text().split()
    order = np.random.default_rng(0).permutation(len(train))
    parts = {
        "train": [train[place] for place in order[:-HELD_BACK]],
        "held-back": [train[place] for place in order[-HELD_BACK:]],
        "dev": (data / "dev.txt").read_text().split(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, names in parts.items():
        lines = ["image,label"]
        for name in names:
            present = np.unique(read_mask(data / "masks" / f"{name}.png"))
            labels = [word for index, word in ANIMALS.items() if index in present]
            if labels:
                lines.append(f"{(data / 'images' / name).resolve()}.jpg,{';'.join(labels)}")
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")
        print(f"{folder / part}.csv: {len(lines) - 1} of {len(names)} images")


def truth_of(sample: Sample, names: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """The mask of an image as 0 for background and other objects, class index + 1, 255."""
    table = np.zeros(256, np.uint8)
    table[255] = 255
    for index, name in ANIMALS.items():
        table[index] = names.index(name) + 1
    assert sample.path is not None
    return table[read_mask(sample.path.parents[1] / "masks" / f"{sample.path.stem}.png")]


def level_counts(maps: Tensor, class_index: Tensor, truth: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Pixels of an image by truth, best class and its score's level: (7, 6, LEVELS + 1).

    Args:
        maps: (P, h, w), 0-1, grid frame.
        class_index: (P,), from 0.
        truth: (H, W), as `truth_of` gives it.
    """
    shape = (len(ANIMALS) + 2, len(ANIMALS) + 1, LEVELS + 1)
    places = np.minimum(truth, len(ANIMALS) + 1).astype(np.int64)  # 255 comes last
    cells = F.interpolate(maps[None], size=truth.shape, mode="bilinear", align_corners=False)[0]
    best, first = cells.max(dim=0)  # (H, W)
    labels = class_index[first].numpy() + 1
    levels = np.ceil(best.numpy() * LEVELS).astype(np.int64).clip(0, LEVELS)
    flat = np.ravel_multi_index((places, labels, levels), shape)
    return np.bincount(flat.ravel(), minlength=np.prod(shape)).reshape(shape)


def mean_ious(found: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """mIoU (LEVELS,) where scores above each background score t / LEVELS are foreground."""
    found = found[:-1]  # (6, 6, LEVELS + 1), without what is left out
    above = found[:, :, ::-1].cumsum(axis=2)[:, :, ::-1][:, :, 1:]  # (6, 6, LEVELS): level > t
    above[:, 0] = found.sum(axis=(1, 2))[:, None] - above.sum(axis=1)
    hits = np.einsum("iit->it", above)
    union = above.sum(axis=0) + above.sum(axis=1) - hits
    ious: npt.NDArray[np.float64] = (hits / union).mean(axis=0)
    return ious
