"""What is gathered while seeds are read: one confusion matrix, and a few numbers an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError
from wsloc.inputs.masks import read_mask, renumbered
from wsloc.metrics.segmentation import ConfusionMatrix, figures_of
from wsloc.records import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wsloc.evaluation.mask_truth import MaskTruth
    from wsloc.metrics.segmentation import MaskFigures
    from wsloc.records import Sample

NO_SEEDS = ": has no seeds"


@dataclass(frozen=True, slots=True)
class SeedImage:
    """What one image's seeds come to.

    Attributes:
        sample: the annotated image.
        path: of its seeds.
        miou: 0-1, over the background and the classes of which either side has a pixel here; NaN where everything
            is void.
        ignored: which share (0-1) of the pixels the seeds ignore; NaN likewise.
        classes: (number, IoU 0-1) of those of the classes.
    """

    sample: Sample
    path: Path
    miou: float
    ignored: float
    classes: tuple[tuple[int, float], ...]


class SeedScores:
    """The accumulators of an evaluation of seeds; images are added one after the other.

    Attributes:
        truth: how true masks are read.
        table: int16 (256,), value of the seeds -> number.
        matrix: of all images.
        images: those that were scored, in their order.
        failures: those that were not; they count as ignored all over, if their true mask can be read.
        labelled: images by the number of a class that they are labelled with, (C + 1,).
    """

    def __init__(self, truth: MaskTruth, table: npt.NDArray[np.int16]) -> None:
        self.truth = truth
        self.table = table
        self.matrix = ConfusionMatrix(len(truth.class_indices))
        self.images: list[SeedImage] = []
        self.failures: list[Failure] = []
        self.labelled = np.zeros(len(truth.class_indices) + 1, np.int64)

    def add(self, sample: Sample, path: Path | None, numbers: Sequence[int]) -> None:
        """Add one image; what is wrong with it is noted as a failure.

        Args:
            sample: with a mask.
            path: of its seeds, or None if there are none.
            numbers: of the classes that it is labelled with.
        """
        self.labelled[[0, *numbers]] += 1
        try:
            truth = self.truth.read(sample)
        except DataError as error:
            self.failures.append(Failure(sample.image, str(error)))
            return
        reason = f"{sample.image}{NO_SEEDS}"
        if path is not None:
            try:
                counts = self.matrix.update(truth, self.read(path), str(path))
            except DataError as error:
                reason = str(error)
            else:
                self.images.append(_judged(sample, path, counts))
                return
        self.matrix.update_failed(truth)
        self.failures.append(Failure(sample.image, reason))

    def read(self, path: Path) -> npt.NDArray[np.uint8]:
        """Seeds, uint8 (H, W), in the numbers that are scored.

        Raises:
            DataError: if they cannot be read, or hold a value that stands for no class.
        """
        return renumbered(read_mask(path), self.table, path)

    def require_any(self) -> None:
        """Refuse seeds that cannot be scored at all.

        Raises:
            DataError: if every image has failed.
        """
        if not self.images and self.failures:
            errors = [failure.error for failure in self.failures]
            telling = next((error for error in errors if not error.endswith(NO_SEEDS)), errors[0])
            raise DataError(
                telling + (f" (all {len(errors):,} images have failed)" if len(errors) > 1 else "")
            )

    def figures(self) -> MaskFigures:
        """Each class's figures over all images; ignored pixels are misses."""
        return self.matrix.figures()


def _judged(sample: Sample, path: Path, counts: npt.NDArray[np.int64]) -> SeedImage:
    iou, total = figures_of(counts).iou, int(counts.sum())
    there = np.flatnonzero(~np.isnan(iou)).tolist()
    return SeedImage(
        sample,
        path,
        float(iou[there].mean()) if there else float("nan"),
        int(counts[:, -1].sum()) / total if total else float("nan"),
        tuple((number, float(iou[number])) for number in there if number),
    )
