"""The predictions file: one JSON line an image, written and read again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError, OutputError
from wsloc.files import write_pieces
from wsloc.records import Failure, Localization, Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


NAME = "predictions.jsonl"
Record = Localization | Failure
Records = Callable[[], Iterator[Record]]
"""What formats take: a function that gives the records from the first one, as often as it is called."""


def write_predictions(folder: Path, lines: Iterable[bytes]) -> Path:
    """Write `folder/predictions.jsonl`, whole or not at all, and return its path.

    Args:
        folder: where the file goes.
        lines: of records in their order, as `record_line` gives them, singly or several at a time.

    Raises:
        OutputError: if the file cannot be written.
    """
    path = folder / NAME
    write_pieces(path, lines)
    return path


def record_line(record: Record) -> bytes:
    """The line of one image in the predictions file.

    Raises:
        OutputError: if the record holds NaN or infinity.
    """
    return json_line(prediction_line(record))


def prediction_line(record: Record) -> dict[str, Any]:
    """What the predictions file says of an image, as plain values; boxes xyxy, half-open, not rounded."""
    if isinstance(record, Failure):
        return {"image": record.image, "error": record.error}
    return {
        "image": record.image,
        "width": int(record.width),
        "height": int(record.height),
        "map": record.map,
        "predictions": [
            {
                "class_index": int(prediction.class_index),
                "class_id": prediction.class_id,
                "class_name": prediction.class_name,
                "probability": float(prediction.probability),
                "box": [float(edge) for edge in prediction.box],
                "mass": float(prediction.mass),
            }
            for prediction in record.predictions
        ],
    }


def json_line(values: dict[str, Any]) -> bytes:
    """One line of JSON in UTF-8, with its line feed.

    File names that are no UTF-8 are written as escapes, from which Python reads the same name again.

    Raises:
        OutputError: if a number is NaN or infinite.
    """
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise OutputError(
            f"{values.get('image')}: NaN or infinity among its predictions is not written"
        ) from error
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # lone surrogates, by which Python stands for undecodable bytes
        return json.dumps(values, allow_nan=False).encode() + b"\n"


def localizations(records: Iterable[Record]) -> Iterator[Localization]:
    """The images that could be used, for formats that have no word for failures.

    Raises:
        OutputError: if a record holds NaN or infinity.
    """
    for record in records:
        if isinstance(record, Failure):
            continue
        for prediction in record.predictions:
            if not all(map(math.isfinite, (prediction.probability, prediction.mass, *prediction.box))):
                raise OutputError(f"{record.image}: NaN or infinity among its predictions is not written")
        yield record


def read_predictions(path: Path) -> Iterator[Record]:
    """The records of a predictions file, one at a time; empty lines are passed over.

    Raises:
        DataError: if the file cannot be read, or a line is malformed; names file and line.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield parse_record(line, f"{path}, line {number}")
    except OSError as error:
        raise DataError(f"cannot read the predictions {path}: {error.strerror or error}") from error


def parse_record(line: bytes, place: str) -> Record:
    """The record of a line of a predictions file.

    Args:
        line: with its line feed or without it.
        place: file and line, for messages.

    Raises:
        DataError: if it is malformed; names the place and what is wrong.
    """
    try:
        values = json.loads(line.decode("utf-8-sig"))
        image = _text(values, "image")
        if "error" in values:
            return Failure(image, _text(values, "error"))
        width, height = _whole(values, "width", 1), _whole(values, "height", 1)
        entries = values["predictions"]
        if not isinstance(entries, list):
            raise TypeError("'predictions' is not a list")  # noqa: TRY301 - one place words every malformed line
        predictions = tuple(_prediction(entry, width, height) for entry in entries)
        return Localization(image, width, height, _text(values, "map"), predictions)
    except KeyError as error:
        raise DataError(f"{place}: has no {error}; is it a predictions.jsonl that wsloc wrote?") from error
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise DataError(f"{place}: {error}; is it a predictions.jsonl that wsloc wrote?") from error


def _prediction(entry: dict[str, Any], width: int, height: int) -> Prediction:
    """One entry under `predictions`."""
    if not isinstance(entry, dict):
        raise TypeError("a prediction is not an object")
    edges = entry["box"]
    if not isinstance(edges, list) or len(edges) != 4:
        raise ValueError("'box' is not a list of four numbers")
    x0, y0, x1, y1 = (_number(edge, "box") for edge in edges)
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ValueError(
            f"the box {[x0, y0, x1, y1]} is empty or leaves the image of {width} x {height} pixels"
        )
    return Prediction(
        class_index=_whole(entry, "class_index", 0),
        class_id=_text(entry, "class_id"),
        class_name=_text(entry, "class_name"),
        probability=_fraction(entry, "probability"),
        box=(x0, y0, x1, y1),
        mass=_fraction(entry, "mass"),
    )


def _text(values: Any, key: str) -> str:
    """A string under a key."""
    if not isinstance(values, dict):
        raise TypeError("is not an object")
    value = values[key]
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is not a string")
    return value


def _whole(values: dict[str, Any], key: str, least: int) -> int:
    """A whole number of at least `least` under a key."""
    value = values[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key!r} is not a whole number from {least} on")
    return value


def _fraction(values: dict[str, Any], key: str) -> float:
    """A number from 0 to 1 under a key."""
    value = _number(values[key], key)
    if not 0 <= value <= 1:
        raise ValueError(f"{key!r} is {value}, not within 0 and 1")
    return value


def _number(value: Any, key: str) -> float:
    """A finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{key!r} holds {value!r}, not a finite number")
    return float(value)
