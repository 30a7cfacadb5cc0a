"""seeds.jsonl: a line an image with its labels and the seeds themselves, from which data set files are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsloc.errors import DataError
from wsloc.files import write_pieces
from wsloc.inputs.images import PIXEL_LIMIT
from wsloc.outputs.paths import output_path, stem
from wsloc.outputs.seed_files.run_lengths import decode, encode
from wsloc.records import Failure
from wsloc.regions.seeds import BACKGROUND, IGNORE

if TYPE_CHECKING:
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds

NAME = "seeds.jsonl"


@dataclass(frozen=True, slots=True)
class SeedArea:
    """The pixels of one image that are of one kind.

    Attributes:
        value: their number: 0, of a class, or 255.
        pixels: how many.
        counts: which ones, as COCO's compressed run-length code.
    """

    value: int
    pixels: int
    counts: str


@dataclass(frozen=True, slots=True)
class SeedLine:
    """The seeds of one image as a line of the log has them.

    Attributes:
        image: id of the image.
        image_size: (height, width) of the upright image, pixels.
        map: what the seeds were made of.
        predicted: whether the labels are the network's own.
        probabilities: (P,), 0-1.
        classes: (P,), the areas of its labels, some without pixels.
        background: pixels of no class.
        ignore: pixels that are not to be learnt from.
    """

    image: str
    image_size: tuple[int, int]
    map: str
    predicted: bool
    probabilities: tuple[float, ...]
    classes: tuple[SeedArea, ...]
    background: SeedArea
    ignore: SeedArea

    @property
    def name(self) -> str:
        """The path of its files in the folder of a format, without extension: its row in list.txt."""
        return file_name(self.image)

    def seed_mask(self) -> npt.NDArray[np.int64]:
        """The seeds in the numbers of the areas, (height, width).

        Raises:
            DataError: if a code is damaged.
        """
        seeds = np.full(self.image_size, self.ignore.value, np.int64)
        for area in (*self.classes, self.background):
            try:
                seeds[decode(area.counts, self.image_size)] = area.value
            except ValueError as error:
                raise DataError(f"{self.image}: its code in the log {error}") from error
        return seeds


SeedLines = Callable[[], Iterator[SeedLine]]
"""What data set files are made of: a function that gives the lines from the first one, as often as it is called."""


def file_name(image: str) -> str:
    """The path of an image's files in the folder of a format: its id without extension, and always inside."""
    return output_path(Path(), stem(image), "").as_posix()


def seed_line(seeds: ImageSeeds, numbering: Numbering) -> SeedLine:
    """The line of an image."""
    count = len(seeds.class_indices)
    places = [*range(1, count + 1), BACKGROUND, IGNORE]
    pixels = np.bincount(seeds.seed_mask.ravel(), minlength=256)
    values = (*numbering.of_seeds(seeds), BACKGROUND, IGNORE)
    areas = [
        SeedArea(value, int(pixels[place]), counts)
        for value, place, counts in zip(values, places, encode(seeds.seed_mask, places), strict=True)
    ]
    return SeedLine(
        seeds.image,
        seeds.image_size,
        seeds.map,
        seeds.predicted,
        seeds.probabilities,
        tuple(areas[:count]),
        *areas[count:],
    )


def line_values(line: SeedLine | Failure) -> dict[str, Any]:
    """What the log says of an image, as plain values."""
    if isinstance(line, Failure):
        return {"image": line.image, "error": line.error}
    height, width = line.image_size
    return {
        "image": line.image,
        "width": width,
        "height": height,
        "map": line.map,
        "labels": "predicted" if line.predicted else "given",
        "classes": [
            {"probability": probability, **_area_values(area)}
            for probability, area in zip(line.probabilities, line.classes, strict=True)
        ],
        "background": _area_values(line.background),
        "ignore": _area_values(line.ignore),
    }


def _area_values(area: SeedArea) -> dict[str, Any]:
    return {"value": area.value, "pixels": area.pixels, "counts": area.counts}


def write_seed_log(folder: Path, lines: Iterable[bytes]) -> Path:
    """Write `folder/seeds.jsonl`, whole or not at all, and return its path.

    Args:
        folder: where the file goes.
        lines: of images in their order, singly or several at a time.

    Raises:
        OutputError: if the file cannot be written.
    """
    path = folder / NAME
    write_pieces(path, lines)
    return path


def read_seed_log(path: Path) -> Iterator[SeedLine | Failure]:
    """The lines of a seed log, one at a time.

    Raises:
        DataError: if the file cannot be read, or a line is malformed; names file and line.
    """
    try:
        with path.open("rb") as stream:
            for number, text in enumerate(stream, start=1):
                yield parse_seed_line(text, f"{path}:{number}")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def parse_seed_line(text: bytes, place: str) -> SeedLine | Failure:
    """What a line of a seed log says.

    Args:
        text: with its line feed or without it.
        place: file and line, for messages.

    Raises:
        DataError: if it is malformed.
    """
    try:
        return _line(json.loads(text))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise DataError(f"{place}: is no line that `wsloc seeds` wrote ({error!r})") from error


def _line(values: dict[str, Any]) -> SeedLine | Failure:
    if "error" in values:
        return Failure(str(values["image"]), str(values["error"]))
    height, width = _whole(values, "height"), _whole(values, "width")
    if not 0 < height * width <= PIXEL_LIMIT:
        raise ValueError(f"there is no image of {width} x {height} pixels")
    return SeedLine(
        image=str(values["image"]),
        image_size=(height, width),
        map=str(values["map"]),
        predicted=values["labels"] == "predicted",
        probabilities=tuple(float(entry["probability"]) for entry in values["classes"]),
        classes=tuple(map(_area, values["classes"])),
        background=_area(values["background"]),
        ignore=_area(values["ignore"]),
    )


def _area(values: dict[str, Any]) -> SeedArea:
    return SeedArea(_whole(values, "value"), _whole(values, "pixels"), str(values["counts"]))


def _whole(values: dict[str, Any], key: str) -> int:
    """A number of pixels or of a class."""
    value = values[key]
    if type(value) is not int or not 0 <= value <= PIXEL_LIMIT:
        raise ValueError(f"{key!r} is no whole number from 0 on")
    return value


def lines_of(path: Path) -> SeedLines:
    """The images of a log that have seeds, as often as they are asked for."""
    return lambda: (line for line in read_seed_log(path) if isinstance(line, SeedLine))
