"""coco.json: the seeds of a data set as run-length codes, which `pycocotools.coco.COCO` loads."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from pycocotools import mask as coco_mask

from wsloc.files import replacing
from wsloc.outputs.class_names import unique_names
from wsloc.outputs.coco import write_list

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.outputs.seed_files.seed_log import SeedArea, SeedLine, SeedLines

NAME = "coco.json"


def write_coco(lines: SeedLines, numbering: Numbering, folder: Path) -> None:
    """Write `folder/coco.json`: an annotation for each class of an image that has pixels; memory does not grow.

    Ids of images and annotations count from 1, `category_id` is the class's number in the index PNGs. What is to be
    ignored stands as a run-length code under `ignore` of the image: COCO has no word for it.

    Raises:
        OutputError: if the file cannot be written.
    """
    with (
        replacing(folder / NAME) as temporary,
        temporary.open("w", encoding="ascii", newline="\n") as stream,
    ):
        stream.write('{"info": {"description": "Seeds made by wsloc"}, "licenses": [],\n"categories": ')
        write_list(stream, _categories(numbering))
        stream.write(',\n"images": ')
        write_list(stream, (_image(number, line) for number, line in enumerate(lines(), start=1)))
        stream.write(',\n"annotations": ')
        write_list(stream, _annotations(lines))
        stream.write("}\n")


def _categories(numbering: Numbering) -> Iterator[dict[str, Any]]:
    named = zip(numbering.values, unique_names(numbering.classes), numbering.classes.ids, strict=True)
    for value, name, class_id in named:
        yield {"id": value, "name": name, "supercategory": "", "class_id": class_id}


def _image(number: int, line: SeedLine) -> dict[str, Any]:
    height, width = line.image_size
    entry = {"id": number, "file_name": line.image, "width": width, "height": height}
    return {**entry, "ignore": _code(line, line.ignore)} if line.ignore.pixels else entry


def _annotations(lines: SeedLines) -> Iterator[dict[str, Any]]:
    numbers = count(1)
    for image_id, line in enumerate(lines(), start=1):
        for area, probability in zip(line.classes, line.probabilities, strict=True):
            if area.pixels:
                code = _code(line, area)
                yield {
                    "id": next(numbers),
                    "image_id": image_id,
                    "category_id": area.value,
                    "segmentation": code,
                    "area": area.pixels,
                    "bbox": coco_mask.toBbox(code).tolist(),
                    "iscrowd": 0,
                    "score": probability,
                }


def _code(line: SeedLine, area: SeedArea) -> dict[str, Any]:
    return {"size": list(line.image_size), "counts": area.counts}
