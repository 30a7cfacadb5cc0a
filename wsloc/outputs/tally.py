"""What the records of a run come to, counted as they go by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from wsloc.outputs.predictions import read_predictions
from wsloc.records import Failure, Localization

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.predictions import Record

SHOWN = 20  # records that are kept


class Tally:
    """Counts of records; memory grows with their failures alone.

    Attributes:
        images: how many records there were.
        failures: those that could not be used.
        classes: how many images have each class name as their best prediction.
        first: the first few records, for a table.
        without_mass: images whose map was empty, so that the box is the whole image.
    """

    def __init__(self) -> None:
        self.images = 0
        self.failures: list[Failure] = []
        self.classes: Counter[str] = Counter()
        self.first: list[Localization] = []
        self.without_mass = 0

    def add(self, record: Record) -> None:
        """Count one record."""
        self.images += 1
        if isinstance(record, Failure):
            self.failures.append(record)
            return
        if record.predictions:
            self.classes[record.predictions[0].class_name] += 1
            self.without_mass += record.predictions[0].mass == 0
        if len(self.first) < SHOWN:
            self.first.append(record)


def tally_records(path: Path) -> Tally:
    """The tally of a predictions file.

    Raises:
        DataError: if it cannot be read.
    """
    tally = Tally()
    for record in read_predictions(path):
        tally.add(record)
    return tally
