"""The rows of a CSV, with where they stand."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from wsloc.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV in UTF-8, with the numbers, from 1, of the lines that they end on.

    Raises:
        DataError: if the file cannot be read, or is no CSV; names the line.
    """
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            for row in reader:
                number = reader.line_num
                yield number, row
    except csv.Error as error:
        raise DataError(f"{path}:{number + 1}: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"cannot read {path}: it is no UTF-8 text") from error
