"""coco.json: a whole data set in COCO's format, its annotations scored."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, TextIO

from wsloc.files import replacing
from wsloc.outputs.class_names import unique_names
from wsloc.outputs.predictions import localizations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from wsloc.outputs.predictions import Records
    from wsloc.records import Classes


def write(records: Records, classes: Classes, folder: Path) -> None:
    """Write `folder/coco.json`, which `pycocotools.coco.COCO` loads; images that failed are left out.

    Ids count from 1: images and annotations in the records' order, `category_id` = class_index + 1. `bbox` is
    x, y, width, height in pixels of the upright image, not rounded; `score` is the probability.

    Args:
        records: gives the records, as often as it is called (twice).
        classes: of the network; all of them are categories, their names made unique.
        folder: where the file goes.

    Raises:
        OutputError: if the file cannot be written, or a record holds NaN.
    """
    with (
        replacing(folder / "coco.json") as temporary,
        temporary.open("w", encoding="ascii", newline="\n") as stream,
    ):
        stream.write('{"info": {"description": "Boxes found by wsloc"}, "licenses": [],\n"categories": ')
        write_list(stream, _categories(classes))
        stream.write(',\n"images": ')
        write_list(stream, _images(records))
        stream.write(',\n"annotations": ')
        write_list(stream, _annotations(records))
        stream.write("}\n")


def write_list(stream: TextIO, items: Iterable[dict[str, Any]]) -> None:
    """A JSON list, item by item.

    ASCII, because pycocotools opens files in the system's encoding, whatever that is.
    """
    stream.write("[")
    stream.writelines(
        ("\n" if number == 0 else ",\n") + json.dumps(item, allow_nan=False)
        for number, item in enumerate(items)
    )
    stream.write("]")


def _categories(classes: Classes) -> Iterator[dict[str, Any]]:
    """The network's classes."""
    for index, name in enumerate(unique_names(classes)):
        yield {"id": index + 1, "name": name, "supercategory": "", "class_id": classes.ids[index]}


def _images(records: Records) -> Iterator[dict[str, Any]]:
    """The images that were used."""
    for number, record in enumerate(localizations(records()), start=1):
        yield {"id": number, "file_name": record.image, "width": record.width, "height": record.height}


def _annotations(records: Records) -> Iterator[dict[str, Any]]:
    """The boxes of every image."""
    numbers = count(1)
    for image_id, record in enumerate(localizations(records()), start=1):
        for prediction in record.predictions:
            x0, y0, x1, y1 = map(float, prediction.box)
            yield {
                "id": next(numbers),
                "image_id": image_id,
                "category_id": int(prediction.class_index) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (x1 - x0) * (y1 - y0),
                "iscrowd": 0,
                "segmentation": [],
                "score": float(prediction.probability),
            }
