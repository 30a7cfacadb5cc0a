"""Scores from live images: one forward pass a batch, whatever the number of maps and rules."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import torch

from wsloc.errors import DataError, MapError
from wsloc.evaluation.scores import TOP, SizeCheck
from wsloc.inputs.loading import LoadedImage, load_batches
from wsloc.methods import MAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from wsloc.evaluation.scores import Scores
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile


def score_images(
    localizer: Localizer,
    files: Sequence[ImageFile],
    scores: Scores,
    *,
    batch_size: int = 16,
    workers: int = 0,
    on_batch: Callable[[int], None] | None = None,
) -> None:
    """Run images through the network and add what comes out to the scores.

    Args:
        localizer: from `wsloc.load`.
        files: the images, in the order of the scores' rows.
        scores: of these images; tells which maps and rules.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if no picture is of the size that its annotation says; a few such pictures count as failed.
        UnsupportedError: if a map does not fit the network.
    """
    maps = tuple(dict.fromkeys(run.map for run in scores.runs))
    done = 0
    sizes = SizeCheck(scores)
    for batch in load_batches(files, localizer.preprocessing, batch_size=batch_size, workers=workers):
        groups: dict[tuple[int, ...], list[tuple[int, LoadedImage]]] = defaultdict(list)
        for row, item in enumerate(batch, start=done):
            if isinstance(item, LoadedImage):
                if sizes.fits(row, item.image_size):
                    groups[item.pixels.shape].append((row, item))
            else:
                scores.fail(row, item.error)
        for members in groups.values():
            _score_equal(localizer, members, maps, scores)
        done += len(batch)
        if on_batch is not None:
            on_batch(len(batch))
    sizes.require_any()


def _score_equal(
    localizer: Localizer, members: list[tuple[int, LoadedImage]], maps: Sequence[str], scores: Scores
) -> None:
    """Score images whose inputs are of one size."""
    labels = [scores.labels(row) for row, _ in members]
    longest = max(map(len, labels))
    padded = torch.tensor([[*row, *row[:1] * (longest - len(row))] for row in labels])

    def choose(probabilities: Tensor) -> Tensor:
        """The best five classes of each image, then its labels: (N, 5 + labels)."""
        best = probabilities.topk(min(TOP, probabilities.shape[1]), dim=1).indices
        return torch.cat([best, padded.to(best.device)], dim=1)

    observed = localizer.observe([image for _, image in members], maps, choose)
    top = min(TOP, len(localizer.classes))
    for name, found in observed.items():
        for n, (row, _) in enumerate(members):
            indices = [int(index) for index in found.class_index[n]]
            cells = (
                dict(zip(indices, found.maps[n], strict=True)) if MAPS[name].per_class else found.maps[n, 0]
            )
            try:
                scores.add_maps(row, name, indices[:top], cells)
            except MapError as error:
                raise DataError(f"{scores.ids[row]}: {error}") from error
