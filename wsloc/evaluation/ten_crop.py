"""Classification over ten crops of each image: four corners, the centre, and their mirror images.

Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012, section 4.1: the
softmax outputs of the ten are averaged. The shorter side is brought to 256 / 224 of the input's side first.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs.images import decode
from wsloc.inputs.presence import Presence
from wsloc.inputs.workers import read_ahead
from wsloc.methods import MAPS
from wsloc.metrics.imagenet import NO_CLASS
from wsloc.networks.tasks import probabilities
from wsloc.running.shards import count_batches
from wsloc.running.stages import WAIT_FOR_DECODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from wsloc.evaluation.scores import Scores
    from wsloc.evaluation.stages import Stage
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile

    Crops = npt.NDArray[np.uint8]
    Guesses = npt.NDArray[np.int64]

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
    pooled = MAPS[map_name].entropy_pooled
    numbers = range(count_crop_batches(len(files), batch_size))
    found = _batches(localizer, files, [pooled], numbers, batch_size=batch_size, workers=workers)
    empty = np.empty((0, min(TOP, len(localizer.classes))), np.int64)
    return np.concatenate([empty, *(best[pooled] for best in found)])


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
    numbers = range(count_crop_batches(len(files), batch_size))
    found = _batches(localizer, files, _pools(maps), numbers, batch_size=batch_size, workers=workers)
    _add(scores, maps, list(found))


def keep_ten_crops(
    localizer: Localizer,
    files: Sequence[ImageFile],
    maps: Sequence[str],
    stage: Stage,
    *,
    batch_size: int = 16,
    workers: int = 0,
) -> None:
    """Do this process's share of the guesses over ten crops: `add_kept_ten_crops` adds them to the scores.

    Args:
        localizer: from `wsloc.load`.
        files: the images.
        maps: keys of `MAPS`.
        stage: of `count_crop_batches` batches.
        batch_size: crops through the network at once, rounded up to whole images.
        workers: processes that decode and crop.

    Raises:
        ImageError: if the folder of the images vanishes.
        OutputError: if a batch cannot be kept.
    """
    todo = stage.todo
    found = _batches(localizer, files, _pools(maps), todo, batch_size=batch_size, workers=workers)
    for number, best in zip(todo, found, strict=True):
        line = {str(int(pooled)): rows.tolist() for pooled, rows in best.items()}
        stage.keep(number, json.dumps({"ten_crop": line}).encode() + b"\n")


def add_kept_ten_crops(scores: Scores, maps: Sequence[str], stage: Stage) -> None:
    """Add what `keep_ten_crops` has kept, in whichever process, to scores that are filled otherwise.

    Raises:
        DataError: if a batch cannot be read.
        RunError: if some batches were not done.
    """
    lines = (json.loads(line)["ten_crop"] for line in stage.lines())
    _add(scores, maps, [{bool(int(key)): np.array(rows) for key, rows in line.items()} for line in lines])


def count_crop_batches(images: int, batch_size: int) -> int:
    """How many batches so many images come in, if `batch_size` crops, rounded up to whole images, are one."""
    return count_batches(images, _images_at_once(batch_size))


def _images_at_once(batch_size: int) -> int:
    return max(1, batch_size // 10)


def _pools(maps: Sequence[str]) -> list[bool]:
    """In which ways, entropy-pooled or not, these maps need classes."""
    return list(dict.fromkeys(MAPS[name].entropy_pooled for name in maps))


def _add(scores: Scores, maps: Sequence[str], batches: Sequence[Mapping[bool, Guesses]]) -> None:
    errors = {failure.image for failure in scores.failures}
    failed = np.array([image in errors for image in scores.ids], dtype=np.bool_)
    pools: dict[bool, Guesses] = {}
    for name in maps:
        pooled = MAPS[name].entropy_pooled
        if pooled not in pools:
            pools[pooled] = np.concatenate([best[pooled] for best in batches])
            pools[pooled][failed] = NO_CLASS
        scores.ten_crop[name] = pools[pooled]


def _batches(
    localizer: Localizer,
    files: Sequence[ImageFile],
    pools: Iterable[bool],
    numbers: Sequence[int],
    *,
    batch_size: int,
    workers: int,
) -> Iterator[dict[bool, Guesses]]:
    """The best classes of the images of some batches, entropy-pooled or not: -1 for what cannot be read."""
    images, presence = _images_at_once(batch_size), Presence(files)
    batches = [files[number * images : (number + 1) * images] for number in numbers]
    stages, work = localizer.stages, partial(_load, batches, localizer.preprocessing.image_size)
    loading = read_ahead(work, len(batches), workers)
    for batch, loaded in zip(batches, stages.waiting(WAIT_FOR_DECODE, loading), strict=True):
        for file, crops in zip(batch, loaded, strict=True):
            if crops is None:
                presence.require(file)
        yield {pooled: _best(localizer, loaded, entropy_pooled=pooled) for pooled in pools}


def _best(localizer: Localizer, loaded: Sequence[Crops | None], *, entropy_pooled: bool) -> Guesses:
    """The best classes of some images, (n, min(5, C))."""
    top = min(TOP, len(localizer.classes))
    best = np.full((len(loaded), top), NO_CLASS, np.int64)
    rows = [row for row, crops in enumerate(loaded) if crops is not None]
    if rows:
        crops = [crop for ten in loaded if ten is not None for crop in ten]
        logits = localizer.fitting.apply(partial(_logits, localizer, entropy_pooled), crops)
        scores = probabilities(torch.stack(logits), localizer.task)
        averaged = scores.reshape(len(rows), 10, -1).mean(dim=1)  # (n, C)
        best[rows] = averaged.topk(top, dim=1).indices.cpu().numpy()
    return best


def _logits(localizer: Localizer, entropy_pooled: bool, crops: Sequence[Crops]) -> Sequence[Tensor]:
    """Logits (C,) of each of some crops (side, side, 3)."""
    return localizer.logits(torch.from_numpy(np.stack(crops)), entropy_pooled=entropy_pooled).unbind()


def _load(batches: Sequence[Sequence[ImageFile]], side: int, number: int) -> list[Crops | None]:
    crops: list[Crops | None] = []
    for file in batches[number]:
        try:
            crops.append(ten_crops(decode(file.path), side))
        except ImageError:  # the pass that makes the maps reports it
            crops.append(None)
    return crops
