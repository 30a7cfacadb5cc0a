"""The best, the most ordinary and the worst seeds, as pictures: truth and seeds over the photograph."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import ImageError
from wsloc.evaluation.mask_figures import BACKGROUND_NAME
from wsloc.inputs.images import decode
from wsloc.outputs.mask_pictures import truth_and_seeds
from wsloc.outputs.report_records import KINDS, Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.evaluation.seed_scores import SeedImage, SeedScores
    from wsloc.inputs.mask_classes import MaskClass
    from wsloc.outputs.report_records import Kind

CASES = 6  # pictures of each kind


def seed_cases(scores: SeedScores, classes: Sequence[MaskClass]) -> tuple[Case, ...]:
    """Images by the mean IoU of their own pixels; masks and seeds of those that are shown are read once more.

    Args:
        scores: filled.
        classes: of the seeds, in the order of the numbers, from 1 on.
    """
    images = [image for image in scores.images if not np.isnan(image.miou)]
    order = np.argsort([-image.miou for image in images], kind="stable")
    middle = max(0, (len(order) - CASES) // 2)
    chosen = {"best": order[:CASES], "median": order[middle : middle + CASES], "worst": order[::-1][:CASES]}
    if len(order) < len(KINDS) * CASES:  # a small set: every case once, in the kind that it is nearest to
        chosen = dict(zip(("best", "median", "worst"), np.array_split(order, 3), strict=True))
    return tuple(
        _case(kind, images[place], scores, classes) for kind in KINDS for place in chosen[kind].tolist()
    )


def _case(kind: Kind, image: SeedImage, scores: SeedScores, classes: Sequence[MaskClass]) -> Case:
    photograph = None
    if image.sample.path is not None:
        with suppress(ImageError):  # the masks are shown without it
            photograph = decode(image.sample.path)
    drawn = truth_and_seeds(photograph, scores.truth.read(image.sample), scores.read(image.path))
    return Case(
        kind=kind,
        image=image.sample.image,
        class_name=", ".join(classes[number - 1].class_name for number, _ in image.classes)
        or BACKGROUND_NAME,
        iou=image.miou,
        image_size=(drawn.height, drawn.width),
        truth=(),
        picture=drawn,
        words="the true mask left, the seeds right",
    )
