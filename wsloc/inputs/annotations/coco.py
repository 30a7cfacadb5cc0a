"""COCO's instances as one JSON file: boxes are x, y, width, height, not rounded."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import checked_box, positive_size
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.inputs.annotations.parsing import ImageSize
    from wsloc.records import Box

# What each entry must have; all of these are numbers or text.
REQUIRED = {
    "images": ("id", "file_name"),
    "categories": ("id", "name"),
    "annotations": ("id", "image_id", "category_id"),
}


def matches(root: Path) -> bool:
    """Whether `root` is a JSON file."""
    return root.suffix.lower() == ".json" and root.is_file()


def read(root: Path) -> list[Sample]:
    """A sample an image, in the file's order: category names as labels, boxes, and the size where it is there.

    Crowds are left out. An image without objects has no label; an object without extent (the data has a few)
    is a label without a box.

    Args:
        root: the JSON file.

    Raises:
        DataError: if it is no COCO JSON, an entry lacks a field, or a box is malformed (entries are named).
    """
    coco = _index(_load(root))
    names = {key: str(category["name"]) for key, category in coco.cats.items()}
    samples: dict[str, Sample] = {}
    for key, image in coco.imgs.items():
        file_name = str(image["file_name"])
        if file_name in samples:
            raise DataError(f"{root}: two images are called {file_name}")
        size = _size(image, f"{root}: image {key}")
        objects = [entry for entry in coco.imgToAnns.get(key, ()) if not entry.get("iscrowd")]
        boxes = [
            (
                names[entry["category_id"]],
                _read_box(entry.get("bbox"), f"{root}: annotation {entry['id']}", size),
            )
            for entry in objects
        ]
        samples[file_name] = Sample(
            file_name,
            None,
            labels=tuple(dict.fromkeys(name for name, _ in boxes)),
            image_size=size,
            boxes=tuple((name, box) for name, box in boxes if box is not None),
        )
    return list(samples.values())


def _load(path: Path) -> Any:
    """The JSON, with every entry known to have what the index and the samples need."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path}: it is no UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: no JSON ({error.msg})") from error
    except (RecursionError, ValueError) as error:
        reason = (
            "nested too deeply" if isinstance(error, RecursionError) else "a number of thousands of digits"
        )
        raise DataError(f"{path}: no JSON of COCO's ({reason})") from error
    for part, keys in REQUIRED.items():
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            raise DataError(f"{path}: no COCO JSON: a list `{part}` is expected in it")
        for number, entry in enumerate(content[part]):
            _require(entry, keys, f"{path}: {part}[{number}]")
        if part != "annotations" and len({entry["id"] for entry in content[part]}) != len(content[part]):
            raise DataError(f"{path}: two entries of `{part}` have the same id")
    if not content["images"]:
        raise DataError(f"{path}: holds no images")
    _require_references(content, path)
    return content


def _require(entry: Any, keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), int | str):
            raise DataError(f"{where}: it has no {key}")


def _require_references(content: dict[str, Any], path: Path) -> None:
    """Annotations of images or categories that are not there would be lost without a word."""
    for key, part in (("image_id", "images"), ("category_id", "categories")):
        known = {entry["id"] for entry in content[part]}
        for entry in content["annotations"]:
            if entry[key] not in known:
                raise DataError(
                    f"{path}: annotation {entry['id']}: its {key} {entry[key]} is not among `{part}`"
                )


def _index(content: dict[str, Any]) -> Any:
    """The content as pycocotools indexes it, which talks on stdout, which is for results."""
    from pycocotools.coco import COCO  # noqa: PLC0415 - slow to import, and few need it

    coco = COCO()
    coco.dataset = content
    with redirect_stdout(StringIO()):
        coco.createIndex()
    return coco


def _size(image: dict[str, Any], where: str) -> ImageSize | None:
    if image.get("width") is None and image.get("height") is None:
        return None
    return positive_size(image.get("width"), image.get("height"), where)


def _read_box(values: Any, where: str, image_size: ImageSize | None) -> Box | None:
    """The half-open xyxy box, or None where it has no extent."""
    is_box = isinstance(values, list) and len(values) == 4
    if not is_box or not all(type(value) in (int, float) for value in values):
        raise DataError(f"{where}: it has no bbox of 4 numbers (a file of instances is expected)")
    try:
        x, y, width, height = (float(value) for value in values)
    except OverflowError as error:
        raise DataError(f"{where}: its bbox holds a number beyond any image") from error
    shown = f"{where}: the box `{' '.join(str(value) for value in values)}`"
    if width < 0 or height < 0:
        raise DataError(f"{shown} has a negative extent: x, y, width, height are expected")
    if width == 0 or height == 0:
        return None
    # Boxes are taken from outlines: a corner may lie a fraction of a pixel before the image.
    x0, y0 = (max(start, 0.0) if start > -1 else start for start in (x, y))
    return checked_box((x0, y0, x + width, y + height), shown, image_size)
