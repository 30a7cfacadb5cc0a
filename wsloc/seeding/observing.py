"""What the network sees in a batch: the maps of each image's labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from wsloc.choice import Choice
from wsloc.inputs.image_labels import ImageLabels
from wsloc.networks.tasks import MULTI_LABEL
from wsloc.records import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from wsloc.inputs.class_labels import ClassIndices
    from wsloc.inputs.loading import LoadedBatch, LoadedImage
    from wsloc.localizer import Localizer
    from wsloc.seeding.request import SeedPlan, SeedRequest

LEAST_PROBABILITY = 0.5  # of predicted labels, multi-label


@dataclass(frozen=True, slots=True)
class ImageMaps:
    """The maps of one image that its seeds are made of.

    Attributes:
        image: its id.
        image_size: (height, width) of the upright original, pixels.
        picture: uint8 (H', W', 3), RGB, to draw on; None where nothing is drawn.
        class_indices: (P,), sorted.
        probabilities: (P,), 0-1.
        maps: float32 (P, H, W), >= 0, input frame.
        mean: likewise, FickleNet's mean over its draws beside the maximum; None for other maps.
        predicted: whether the labels are the network's own.
    """

    image: str
    image_size: tuple[int, int]
    picture: npt.NDArray[np.uint8] | None
    class_indices: tuple[int, ...]
    probabilities: tuple[float, ...]
    maps: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32] | None = None
    predicted: bool = False


def observe_batch(
    localizer: Localizer, batch: LoadedBatch, request: SeedRequest, plan: SeedPlan
) -> list[ImageMaps | Failure]:
    """The maps of a batch's images, in its order; inputs of one size go through the network together.

    Raises:
        MemoryLimitError: if a single input does not fit into memory.
    """
    found: dict[int, ImageMaps | Failure] = {}
    images: list[tuple[int, LoadedImage]] = []
    for place, item in enumerate(batch):
        if isinstance(item, Failure):
            found[place] = item
        elif isinstance(request.classes, ImageLabels) and item.image not in request.classes.by_image:
            found[place] = Failure(item.image, request.classes.errors[item.image])
        else:
            images.append((place, item))
    found |= localizer.by_size(partial(_observe_equal, localizer, request=request, plan=plan), images)
    return [found[place] for place in range(len(batch))]


def _observe_equal(
    localizer: Localizer, members: Sequence[tuple[int, LoadedImage]], request: SeedRequest, plan: SeedPlan
) -> list[ImageMaps | Failure]:
    """The maps of images whose inputs are of one size."""
    images = [image for _, image in members]
    rows = [_named(image.image, request) for image in images]
    multi_label = localizer.task == MULTI_LABEL

    def choose(probabilities: Tensor) -> Tensor:
        """The classes (N, P) that are explained, as many as the richest image has; others repeat their first."""
        if rows[0]:
            return Choice(rows=rows)(probabilities)
        if not (request.classes is None and multi_label):
            return Choice(request.classes if isinstance(request.classes, int) else 1)(probabilities)
        most = max(1, int((probabilities >= LEAST_PROBABILITY).sum(dim=1).max()))
        values, indices = probabilities.topk(most, dim=1)
        return indices.where(values >= LEAST_PROBABILITY, indices[:, :1])

    observed = localizer.observe(images, plan.maps, choose)
    first = observed[plan.map]
    mean = observed[plan.maps[1]] if len(plan.maps) > 1 else None
    found: list[ImageMaps | Failure] = []
    for n, (image, row) in enumerate(zip(images, rows, strict=True)):
        chosen = first.chosen[n]
        if not np.isfinite(chosen).all():
            error = f"{image.image}: the network's output is NaN: check its weights"
            found.append(Failure(image.image, error))
            continue
        count = len(set(first.class_index[n].tolist()))  # what repeats comes last
        order = np.argsort(first.class_index[n, :count], kind="stable")
        found.append(
            ImageMaps(
                image.image,
                image.image_size,
                image.picture,
                tuple(first.class_index[n, order].tolist()),
                tuple(chosen[order].tolist()),
                first.maps[n, order],
                None if mean is None else mean.maps[n, order],
                predicted=not row,
            )
        )
    return found


def _named(image: str, request: SeedRequest) -> ClassIndices:
    """The classes that are named for an image; none where they are predicted."""
    if isinstance(request.classes, ImageLabels):
        return request.classes.by_image[image]
    return request.classes if isinstance(request.classes, tuple) else ()
