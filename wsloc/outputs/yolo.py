"""yolo/<image>.txt: one file an image, as YOLO's trainers take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.files import write_text
from wsloc.outputs.class_names import unique_names
from wsloc.outputs.paths import output_path, refuse_clashes, stem
from wsloc.outputs.predictions import localizations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from wsloc.outputs.predictions import Records
    from wsloc.records import Classes, Localization

CLASS_LIST = "classes.txt"


def write(records: Records, classes: Classes, folder: Path) -> None:
    """Write `folder/yolo/<image id without extension>.txt`, one an image, and `folder/yolo/classes.txt`.

    A line is `class_index cx cy w h`: the box's centre and size as fractions (0-1) of the image's width and
    height. An image without predictions has an empty file, which YOLO takes for background; one that failed
    has none. Line i of `classes.txt`, from 0, names class i.

    Args:
        records: gives the records, as often as it is called.
        classes: of the network.
        folder: where the folder `yolo` goes.

    Raises:
        OutputError: if a file cannot be written, two images would have one file (or an image that of
            `classes.txt`), or a record holds NaN.
    """
    target = folder / "yolo"
    check(lambda: (record.image for record in localizations(records())), folder)
    write_text(target / CLASS_LIST, "".join(f"{name}\n" for name in unique_names(classes)))
    for record in localizations(records()):
        write_text(output_path(target, stem(record.image), ".txt"), _lines(record))


def check(images: Callable[[], Iterable[str]], folder: Path) -> None:
    """Refuse image ids that would share a file; `write` does so too, but only when a run is over.

    Args:
        images: gives the ids, as often as it is called.
        folder: where the folder `yolo` goes.

    Raises:
        OutputError: naming two images that differ in nothing but their extension, or one whose file would be
            `classes.txt`.
    """
    refuse_clashes(images, folder / "yolo", ".txt", own=CLASS_LIST)


def _lines(record: Localization) -> str:
    """The labels of one image."""
    lines = []
    for prediction in record.predictions:
        x0, y0, x1, y1 = prediction.box
        fractions = (
            (x0 + x1) / 2 / record.width,
            (y0 + y1) / 2 / record.height,
            (x1 - x0) / record.width,
            (y1 - y0) / record.height,
        )
        lines.append(f"{prediction.class_index} " + " ".join(f"{value:.8f}" for value in fractions) + "\n")
    return "".join(lines)
