"""Guesses (class and box) that wsloc or any other system made, read line by line; the format is found by looking.

    predictions.jsonl, predictions.csv    wsloc's own; half-open boxes
    ImageId,PredictionString              a table as for Kaggle, `wnid x0 y0 x1 y1` up to five times
    image label x0 y0 x1 y1 [label ...]   text, parted by blanks (or by commas)
    label x0 y0 x1 y1 [label ...]         text as for the ILSVRC server: a line a validation image, in order

The corners of all but wsloc's own are 0-based and INCLUSIVE, so x1 + 1 is the half-open edge.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError
from wsloc.inputs.number_kinds import whole_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from wsloc.records import Box

SHARED_MAPS = frozenset({"entropy", "entropy-top5"})  # carry no class: their one box is that of any class
WORDS = 5  # a guess: label x0 y0 x1 y1
CLASSES = 1000  # of the challenge
KAGGLE_HEADER = ["ImageId", "PredictionString"]
CORNERS = ("x0", "y0", "x1", "y1")
COLUMNS = ("image", "class_id", *CORNERS)  # the least that a predictions.csv has
FORMATS = (
    "predictions.jsonl or predictions.csv of wsloc, a CSV `ImageId,PredictionString`, "
    "text lines `image label x0 y0 x1 y1 ...`, or ILSVRC text `label x0 y0 x1 y1 ...`"
)


@dataclass(frozen=True, slots=True)
class Guesses:
    """What a system says of one image.

    Attributes:
        image: id, as the file has it.
        labels: class id (or whatever the file names classes by) of each guess, best first; a class with several
            boxes stands there several times.
        boxes: as many, xyxy, half-open, image frame. Other systems' may reach out of the image.
        shared_box: the box that stands for any class, where the map carries none.
        error: why the image failed, or None; then there are no guesses.
        image_size: (height, width) in pixels that the boxes refer to, where the file says it.
        indices: the class index of each guess, as an output of the network that made it; empty where the file has
            none.
        names: the class of each guess in words; empty where the file has none.
        where: file and line, for messages.
    """

    image: str
    labels: tuple[str, ...]
    boxes: tuple[Box, ...]
    shared_box: Box | None = None
    error: str | None = None
    image_size: tuple[int, int] | None = None
    indices: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    where: str = field(default="", compare=False)


def read_guesses(
    path: Path, *, validation_order: Sequence[str] | None = None, synsets: Sequence[str] | None = None
) -> Iterator[Guesses]:
    """The guesses of each image, one at a time, in the order of the file.

    Args:
        path: a file in one of the formats above.
        validation_order: what the validation images are called, in their order, for ILSVRC text.
        synsets: the development kit's wnids in ITS order (1 is n02119789), for ILSVRC text.

    Returns:
        An iterator; the file's first line is looked at at once, the rest as it goes.

    Raises:
        DataError: if the file cannot be read, is in none of the formats or empty, ILSVRC text comes without
            order or synsets, or, while it is read, a line is malformed or an image stands there twice (file and
            line are named).
    """
    lines = _lines(path)
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    else:
        raise DataError(f"{path}: is empty; expected {FORMATS}")
    read = _reader(head[-1], f"{path}:{len(head)}", validation_order, synsets)
    return _without_repeats(read(path, chain(head, lines)))


def _reader(
    line: str, where: str, validation_order: Sequence[str] | None, synsets: Sequence[str] | None
) -> Callable[[Path, Iterator[str]], Iterator[tuple[str, Guesses]]]:
    """What reads a file that begins with this line: `read(path, lines)` gives places and guesses."""
    if line.lstrip().startswith("{"):
        return _read_json
    fields = _fields(line)
    if fields[:2] == KAGGLE_HEADER:
        return _read_kaggle
    if set(COLUMNS) <= set(fields):
        return _read_csv
    separator = "," if line.count(",") >= WORDS else None
    words = line.split(separator)
    if len(words) % WORDS == 0 and all(_is_number(word) for word in words):
        order, wnids = _official_tables(where, validation_order, synsets)
        return lambda path, lines: _read_official(path, lines, order, wnids, separator)
    if len(words) > 1 and len(words) % WORDS == 1 and all(_is_number(word) for word in words[-4:]):
        return lambda path, lines: _read_text(path, lines, separator)
    raise DataError(f"{where}: these are no guesses; expected {FORMATS}, found `{line.strip()[:60]}`")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a text file, with their ends, as they are asked for."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from stream
    except OSError as error:
        raise DataError(f"cannot read the guesses {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read the guesses {path}: it is no UTF-8 text") from error


def _without_repeats(guesses: Iterator[tuple[str, Guesses]]) -> Iterator[Guesses]:
    seen: set[str] = set()
    for where, guess in guesses:
        if guess.image in seen:
            raise DataError(f"{where}: {guess.image} stands there twice")
        seen.add(guess.image)
        yield replace(guess, where=where)


# --- wsloc's own ---


def _read_json(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, Guesses]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield where, _of_json(json.loads(line))
        except KeyError as error:
            raise DataError(
                f"{where}: has no {error}; is it a predictions.jsonl that wsloc wrote?"
            ) from error
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise DataError(f"{where}: {error}; is it a predictions.jsonl that wsloc wrote?") from error


def _of_json(values: Any) -> Guesses:
    """The guesses of a line, or whatever its values raise."""
    if not isinstance(values, dict) or not isinstance(values["image"], str):
        raise TypeError("is no object that names its image")
    image = values["image"]
    if "error" in values:
        return Guesses(image, (), (), error=str(values["error"]))
    width, height, entries = values["width"], values["height"], values["predictions"]
    if not isinstance(width, int) or not isinstance(height, int) or not isinstance(entries, list):
        raise TypeError("'width', 'height' or 'predictions' is not what it should be")
    labels = tuple(entry["class_id"] for entry in entries)
    if not all(isinstance(label, str) for label in labels):
        raise TypeError("a 'class_id' is not a string")
    boxes = tuple(_own_box(entry["box"], width, height) for entry in entries)
    shared = boxes[0] if boxes and values["map"] in SHARED_MAPS else None
    indices, names = (_of_all(entries, key) for key in ("class_index", "class_name"))
    if not all(type(index) is int for index in indices) or not all(isinstance(name, str) for name in names):
        raise TypeError("a 'class_index' or 'class_name' is not what it should be")
    return Guesses(image, labels, boxes, shared, None, (height, width), indices, names)


def _of_all(entries: list[dict[str, Any]], key: str) -> tuple[Any, ...]:
    """What each entry has under a key, or nothing if one lacks it."""
    return tuple(entry[key] for entry in entries) if all(key in entry for entry in entries) else ()


def _own_box(edges: Any, width: float = math.inf, height: float = math.inf) -> Box:
    """A half-open box as it is, if it is one of four finite numbers within the image."""
    if not isinstance(edges, list) or len(edges) != 4:
        raise ValueError("a box is not a list of four numbers")
    x0, y0, x1, y1 = edges
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height) or math.inf in (x1, y1):  # so is NaN refused
        raise ValueError(f"the box {list(edges)} is empty, not finite, or leaves the image")
    return float(x0), float(y0), float(x1), float(y1)


def _read_csv(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, Guesses]]:
    """Rows of one image stand together, best first; `rank`, where there is one, counts them."""
    rows = _rows(path, lines)
    header = [field.strip() for field in next(rows)[1]]
    missing = [name for name in COLUMNS if name not in header]
    if missing:  # a quotation mark that is not closed hides it
        raise DataError(f"{path}: its header has no column {missing[0]}; expected {', '.join(COLUMNS)}")
    columns = [header.index(name) for name in COLUMNS]
    rank, class_index, class_name = (
        header.index(name) if name in header else None for name in ("rank", "class_index", "class_name")
    )
    for _, group in groupby(rows, key=lambda row: row[1][columns[0]] if len(row[1]) > columns[0] else ""):
        labels: list[str] = []
        boxes: list[Box] = []
        indices: list[int] = []
        names: list[str] = []
        for count, (where, row) in enumerate(group, start=1):
            if len(row) != len(header):
                raise DataError(f"{where}: expected {len(header)} fields as in the header, found {len(row)}")
            image, label, *corners = (row[column] for column in columns)
            if not image or not label:
                raise DataError(f"{where}: names no image or no class")
            if rank is not None and row[rank].strip() != str(count):
                raise DataError(
                    f"{where}: expected rank {count} of {image}, found {row[rank]}: an image's rows stand together"
                )
            try:
                boxes.append(_own_box([float(corner) for corner in corners]))
                if class_index is not None:
                    indices.append(int(row[class_index]))
            except ValueError as error:
                raise DataError(f"{where}: {error}") from error
            labels.append(label)
            if class_name is not None:
                names.append(row[class_name])
        yield (
            where,
            Guesses(image, tuple(labels), tuple(boxes), indices=tuple(indices), names=tuple(names)),
        )


# --- other systems' ---


def _read_kaggle(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, Guesses]]:
    rows = _rows(path, lines)
    next(rows)
    for where, row in rows:
        image, words = row[0].strip(), " ".join(row[1:]).split()
        if not image or any(_is_number(word) for word in words[::WORDS]):
            raise DataError(f"{where}: expected an image and a wnid before each box: `wnid x0 y0 x1 y1`")
        yield where, _of_words(image, words, where)


def _read_text(path: Path, lines: Iterator[str], separator: str | None) -> Iterator[tuple[str, Guesses]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            image, *words = (word.strip() for word in line.split(separator))
            where = f"{path}:{number}"
            if not image or not words:
                raise DataError(f"{where}: expected `image label x0 y0 x1 y1`, found `{line.strip()[:60]}`")
            yield where, _of_words(image, words, where)


def _read_official(
    path: Path, lines: Iterator[str], order: Sequence[str], synsets: Sequence[str], separator: str | None
) -> Iterator[tuple[str, Guesses]]:
    """Line n is of the n-th validation image; labels count the kit's classes from 1."""
    empty = 0
    image = 0
    for image, line in enumerate(lines, start=1):
        if not line.strip():
            empty = empty or image
            continue
        if empty:  # at the end empty lines do no harm
            raise DataError(f"{path}:{empty}: the line is empty, but each stands for an image")
        where = f"{path}:{image}"
        if image > len(order):
            raise DataError(f"{where}: has more lines than the {len(order):,} validation images")
        words = [word.strip() for word in line.split(separator)]
        for place in range(0, len(words), WORDS):
            label = words[place]
            number = whole_of(label) or 0
            if not (label.isascii() and 1 <= number <= len(synsets)):
                raise DataError(
                    f"{where}: expected a class from 1 to {len(synsets)} before each box, found `{label[:60]}`"
                )
            words[place] = synsets[number - 1]
        yield where, _of_words(order[image - 1], words, where)
    count = empty - 1 if empty else image
    if count != len(order):
        raise DataError(
            f"{path}: has {count:,} lines for {len(order):,} validation images: each needs its line"
        )


def _official_tables(
    where: str, validation_order: Sequence[str] | None, synsets: Sequence[str] | None
) -> tuple[Sequence[str], Sequence[str]]:
    if synsets is None or validation_order is None:
        tables = {
            "the wnids in the development kit's order (map_clsloc.txt or synsets.txt)": synsets,
            "the names of the validation images in their order": validation_order,
        }
        missing = [name for name, table in tables.items() if table is None]
        raise DataError(
            f"{where}: ILSVRC text names neither images nor wnids; give {' and '.join(missing)}, or write lines "
            "`image wnid x0 y0 x1 y1 ...`"
        )
    if len(synsets) == CLASSES and list(synsets) == sorted(synsets):
        raise DataError(
            f"{where}: the synsets given are sorted, but the kit's order is another (1 is n02119789)"
        )
    return validation_order, synsets


def _of_words(image: str, words: Sequence[str], where: str) -> Guesses:
    """The guesses `label x0 y0 x1 y1 ...` of an image."""
    if len(words) % WORDS:
        raise DataError(
            f"{where}: expected `label x0 y0 x1 y1` once or several times, found {len(words)} words"
        )
    boxes = tuple(
        _inclusive_box(words[start + 1 : start + WORDS], where) for start in range(0, len(words), WORDS)
    )
    return Guesses(image, tuple(words[::WORDS]), boxes)


def _inclusive_box(corners: Sequence[str], where: str) -> Box:
    """Corners that belong to the box as a half-open one; it may reach out of the image, as regressed ones do."""
    try:
        x0, y0, x1, y1 = map(float, corners)
    except ValueError as error:
        raise DataError(
            f"{where}: the box `{' '.join(corners)}` is not the four numbers x0 y0 x1 y1"
        ) from error
    if not (-math.inf < x0 <= x1 < math.inf and -math.inf < y0 <= y1 < math.inf):
        raise DataError(
            f"{where}: the box `{' '.join(corners)}` ends before it begins, or is not finite: "
            "x0 <= x1 and y0 <= y1 are expected"
        )
    return x0, y0, x1 + 1, y1 + 1


def _rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    """The rows of a CSV that hold anything, each after its place."""
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if any(field.strip() for field in row):
                yield f"{path}:{reader.line_num}", row
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}") from error


def _fields(line: str) -> list[str]:
    """The fields of a CSV's header, or what there is of them."""
    try:
        return [field.strip() for field in next(csv.reader([line]), [])]
    except csv.Error:
        return []


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
