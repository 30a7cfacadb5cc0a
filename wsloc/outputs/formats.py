"""The formats that boxes can be had in, by the name that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs import coco, csv_table, voc, yolo
from wsloc.outputs.predictions import read_predictions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from pathlib import Path

    from wsloc.outputs.predictions import Records
    from wsloc.records import Classes

FORMATS: dict[str, Callable[[Records, Classes, Path], None]] = {
    "csv": csv_table.write,
    "coco": coco.write,
    "voc": voc.write,
    "yolo": yolo.write,
}
"""name -> `write(records, classes, folder)`; jsonl and npz are written while the run goes."""

CHECKS: dict[str, Callable[[Callable[[], Iterable[str]], Path], None]] = {
    "voc": voc.check,
    "yolo": yolo.check,
}
"""name -> `check(images, folder)`, which refuses image ids before a run that its format would refuse after it."""


def write_formats(formats: Collection[str], predictions: Path, classes: Classes) -> None:
    """Write the formats asked for, beside the predictions file that they are made of.

    Raises:
        OutputError: if a file cannot be written.
        DataError: if the predictions cannot be read.
    """
    for name, write in FORMATS.items():
        if name in formats:
            write(lambda: read_predictions(predictions), classes, predictions.parent)
