"""True masks in the numbers that are scored: 0 the background, 1 to C the classes, 255 void."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.inputs.masks import read_mask, renumbered, value_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from wsloc.records import Sample


@dataclass(frozen=True, slots=True)
class MaskTruth:
    """How a data set's masks are read.

    Attributes:
        class_indices: the class that each number stands for, from number 1 on.
        table: int16 (256,), value of a mask -> number; see `value_table`.
    """

    class_indices: tuple[int, ...]
    table: npt.NDArray[np.int16]

    @classmethod
    def of(
        cls, samples: Sequence[Sample], label_indices: Mapping[str, int], scored: Sequence[int] | None = None
    ) -> MaskTruth | None:
        """The reading of the samples' masks; None if none has one of numbered values.

        Args:
            samples: of one data set.
            label_indices: label -> class index; labels that are not in it count as background.
            scored: class indices; None for those that a value stands for.
        """
        labels = next((sample.mask_labels for sample in samples if sample.masks and sample.mask_labels), ())
        index_of = {value: label_indices[label] for value, label in labels if label in label_indices}
        classes = tuple(sorted(set(index_of.values())) if scored is None else scored)
        if not labels or not classes:
            return None
        numbers = {index: number for number, index in enumerate(classes, start=1)}
        return cls(
            classes, value_table({value: numbers.get(index_of.get(value, -1), 0) for value, _ in labels})
        )

    def number(self, class_index: int) -> int | None:
        """The number of a class, or None for one that no value stands for."""
        return self.class_indices.index(class_index) + 1 if class_index in self.class_indices else None

    def read(self, sample: Sample) -> npt.NDArray[np.uint8]:
        """The mask of a sample that has one, uint8 (H, W), in these numbers.

        Raises:
            DataError: if it cannot be read, or holds a value that stands for no class.
        """
        (path,) = sample.masks
        return renumbered(read_mask(path), self.table, path)
