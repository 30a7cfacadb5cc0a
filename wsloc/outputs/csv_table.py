"""predictions.csv: one row a prediction, for spreadsheets and data frames."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from wsloc.files import replacing
from wsloc.outputs.predictions import localizations

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.predictions import Records
    from wsloc.records import Classes

COLUMNS = (
    "image",
    "rank",
    "class_index",
    "class_id",
    "class_name",
    "probability",
    "x0",
    "y0",
    "x1",
    "y1",
    "mass",
)


def write(records: Records, classes: Classes, folder: Path) -> None:  # noqa: ARG001 - all formats take the same
    """Write `folder/predictions.csv`: UTF-8, a header, commas; images that failed are left out.

    `rank` counts an image's predictions from 1, the best one; boxes are xyxy in pixels of the upright image,
    half-open, not rounded; `mass` is the fraction (0-1) of the map inside the box.

    Args:
        records: gives the records, as often as it is called.
        classes: not needed here.
        folder: where the file goes.

    Raises:
        OutputError: if the file cannot be written, or a record holds NaN.
    """
    with (
        replacing(folder / "predictions.csv") as temporary,
        # Names that are no UTF-8 must not end the run: their bytes are spelled out.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for record in localizations(records()):
            table.writerows(
                (
                    record.image,
                    rank,
                    prediction.class_index,
                    prediction.class_id,
                    prediction.class_name,
                    float(prediction.probability),
                    *map(float, prediction.box),
                    float(prediction.mass),
                )
                for rank, prediction in enumerate(record.predictions, start=1)
            )
