"""images.csv: one row an image of an evaluation, written as the rows come."""

from __future__ import annotations

import csv
import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import OutputError
from wsloc.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

Value = bool | int | float | str | np.generic | None
COLUMNS = ("image", "class_id", "class_name", "error")


@dataclass(frozen=True, slots=True)
class ImageRow:
    """What became of one image.

    Attributes:
        image: id.
        class_id: machine name of its class.
        class_name: words.
        figures: one mapping a run, in their order; what is absent, or None, is an empty cell.
        error: why the image could not be used; empty if it could.
    """

    image: str
    class_id: str
    class_name: str
    figures: Sequence[Mapping[str, Value]] = ()
    error: str = ""


@contextmanager
def images_csv(
    folder: Path, figures: Sequence[str], runs: Sequence[str] = ("",)
) -> Iterator[Callable[[ImageRow], None]]:
    """Write `folder/images.csv` row by row: UTF-8, a header, commas; it stands when the block ends well.

        with images_csv(folder, ["iou", "top1_correct"], ["cam, threshold 0.2", "ep, mass 0.98"]) as write:
            write(ImageRow("a.jpg", "n01443537", "goldfish", [{"iou": 0.71, "top1_correct": True}, {}]))

    Args:
        folder: where the file goes.
        figures: columns of each run.
        runs: their labels; with several, a column is called `<figure> [<label>]`.

    Yields:
        A function that takes a row. It raises ValueError for a figure that has no column or a row of another
        number of runs, and OutputError for NaN or infinity. Booleans are written as 1 and 0.

    Raises:
        OutputError: if the file cannot be written.
    """
    columns = [figure if len(runs) == 1 else f"{figure} [{run}]" for run in runs for figure in figures]
    with (
        replacing(folder / "images.csv") as temporary,
        # Names that are no UTF-8 must not end the run: their bytes are spelled out.
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow([*COLUMNS, *columns])

        def write(row: ImageRow) -> None:
            if len(row.figures) not in (0, len(runs)):
                raise ValueError(f"{row.image}: figures of {len(row.figures)} runs, expected {len(runs)}")
            ours = row.figures or [{}] * len(runs)
            if unknown := {key for values in ours for key in values} - set(figures):
                raise ValueError(f"{row.image}: no column for {', '.join(sorted(unknown))}")
            cells = [_cell(values.get(figure), row.image) for values in ours for figure in figures]
            table.writerow([row.image, row.class_id, row.class_name, row.error, *cells])

        yield write


def _cell(value: Value, image: str) -> object:
    """A value as it is written."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        raise OutputError(f"{image}: NaN or infinity among its figures is not written")
    return int(plain) if isinstance(plain, bool) else plain
