"""Classification over ten crops of each image: four corners, the centre, and their mirror images.

Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012, section 4.1: the
softmax outputs of the ten are averaged. The shorter side is brought to 256 / 224 of the input's side first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs.images import decode
from wsloc.inputs.workers import read_ahead
from wsloc.methods import MAPS
from wsloc.metrics.imagenet import NO_CLASS
from wsloc.networks.tasks import probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from wsloc.evaluation.scores import Scores
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile

    Crops = npt.NDArray[np.uint8]

MARGIN = 256 / 224
TOP = 5


def ten_crops(picture: Image.Image, side: int) -> Crops:
    """The ten crops of an upright RGB picture: uint8 (10, side, side, 3)."""
    scale = round(side * MARGIN) / min(picture.size)
    width, height = (max(side, round(edge * scale)) for edge in picture.size)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))
    right, below = width - side, height - side
    corners = ((0, 0), (right, 0), (0, below), (right, below), (right // 2, below // 2))
    crops = np.stack([pixels[y : y + side, x : x + side] for x, y in corners])  # (5, S, S, 3)
    return np.concatenate([crops, crops[:, :, ::-1]])


def ten_crop_guesses(
    localizer: Localizer, files: Sequence[ImageFile], map_name: str, *, batch_size: int = 16, workers: int = 0
) -> npt.NDArray[np.int64]:
    """The five best classes of each image over ten crops: (N, min(5, C)), -1 for an image that cannot be read.

    Args:
        localizer: from `wsloc.load`.
        files: the images.
        map_name: key of `MAPS`; decides, as it does for boxes, whether classes are entropy-pooled.
        batch_size: crops through the network at once, rounded up to whole images.
        workers: processes that decode and crop.
    """
    top = min(TOP, len(localizer.classes))
    best = np.full((len(files), top), NO_CLASS, np.int64)
    images = max(1, batch_size // 10)
    batches = [files[start : start + images] for start in range(0, len(files), images)]
    work = partial(_load, batches, localizer.preprocessing.image_size)
    for number, loaded in enumerate(read_ahead(work, len(batches), workers)):
        rows = [row for row, crops in enumerate(loaded) if crops is not None]
        if not rows:
            continue
        pixels = torch.from_numpy(np.concatenate([crops for crops in loaded if crops is not None]))
        scores = probabilities(
            localizer.logits(pixels, entropy_pooled=MAPS[map_name].entropy_pooled), localizer.task
        )
        averaged = scores.reshape(len(rows), 10, -1).mean(dim=1)  # (n, C)
        best[np.array(rows) + number * images] = averaged.topk(top, dim=1).indices.cpu().numpy()
    return best


def add_ten_crops(
    localizer: Localizer,
    files: Sequence[ImageFile],
    maps: Sequence[str],
    scores: Scores,
    *,
    batch_size: int = 16,
    workers: int = 0,
) -> None:
    """Add the guesses over ten crops to scores; maps whose classes come from the same pooling share one pass.

    Args:
        localizer: from `wsloc.load`.
        files: the images, in the order of the scores' rows.
        maps: keys of `MAPS`.
        scores: filled otherwise: images that failed there, maybe for their size, fail here too.
        batch_size: crops through the network at once, rounded up to whole images.
        workers: processes that decode and crop.
    """
    errors = {failure.image for failure in scores.failures}
    failed = np.array([image in errors for image in scores.ids], dtype=np.bool_)
    pools: dict[bool, npt.NDArray[np.int64]] = {}
    for name in maps:
        pooled = MAPS[name].entropy_pooled
        if pooled not in pools:
            pools[pooled] = ten_crop_guesses(localizer, files, name, batch_size=batch_size, workers=workers)
            pools[pooled][failed] = NO_CLASS
        scores.ten_crop[name] = pools[pooled]


def _load(batches: Sequence[Sequence[ImageFile]], side: int, number: int) -> list[Crops | None]:
    crops: list[Crops | None] = []
    for file in batches[number]:
        try:
            crops.append(ten_crops(decode(file.path), side))
        except ImageError:  # the pass that makes the maps reports it
            crops.append(None)
    return crops
