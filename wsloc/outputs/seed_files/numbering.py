"""classes.json: the numbers of the classes in seed files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import OutputError
from wsloc.files import write_text
from wsloc.inputs.class_values import voc_values
from wsloc.inputs.mask_classes import BACKGROUND, FILE_NAME, IGNORE, SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wsloc.records import Classes, ImageSeeds


@dataclass(frozen=True, slots=True)
class Numbering:
    """Which number stands for which class: 0 is the background, 255 is ignored.

    Attributes:
        classes: of the network.
        values: the number of each class, in their order: class index + 1, or VOC's own where all names are VOC's.
        is_voc: whether they are VOC's.
    """

    classes: Classes
    values: tuple[int, ...]
    is_voc: bool

    @classmethod
    def of(cls, classes: Classes) -> Numbering:
        """The numbering of a network's classes."""
        values = voc_values(classes)
        if values is not None:
            return cls(classes, values, is_voc=True)
        return cls(classes, tuple(range(1, len(classes) + 1)), is_voc=False)

    def of_seeds(self, seeds: ImageSeeds) -> tuple[int, ...]:
        """The numbers (P,) of an image's classes."""
        return tuple(self.values[index] for index in seeds.class_indices)

    def numbered(self, seeds: ImageSeeds) -> npt.NDArray[np.uint8]:
        """The seeds (height, width) in these numbers."""
        table = np.full(256, IGNORE, np.uint8)
        table[BACKGROUND] = BACKGROUND
        table[1 : len(seeds.class_indices) + 1] = self.of_seeds(seeds)
        return table[seeds.seed_mask]

    def require_bytes(self, formats: Sequence[str]) -> None:
        """Refuse formats that hold a byte a pixel if there are too many classes for them.

        Raises:
            OutputError: naming the formats.
        """
        if formats and max(self.values, default=0) >= IGNORE:
            raise OutputError(
                f"--format {' and '.join(formats)}: a byte a pixel holds {IGNORE - 1} classes, and the network has "
                f"{len(self.classes)}: take irn, psa, sec, coco or npz"
            )

    def write(self, folder: Path) -> None:
        """Write `folder/classes.json`, which `wsloc eval --seeds` reads.

        Raises:
            OutputError: if the file cannot be written.
        """
        entries = [
            {"value": value, "class_index": index, "class_id": class_id, "class_name": name}
            for index, (value, class_id, name) in enumerate(
                zip(self.values, self.classes.ids, self.classes.names, strict=True)
            )
        ]
        content = {
            "schema_version": SCHEMA_VERSION,
            "background": BACKGROUND,
            "ignore": IGNORE,
            "numbering": "voc" if self.is_voc else "class_index + 1",
            "classes": entries,
        }
        write_text(folder / FILE_NAME, json.dumps(content, indent=2) + "\n")
