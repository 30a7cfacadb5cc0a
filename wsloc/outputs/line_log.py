"""A file of lines that grows with a run: whole lines at any time, the whole file only at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from wsloc.errors import OutputError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path
    from types import TracebackType


class LineLog:
    """A file that grows as `<name>.partial` and is renamed when the block ends well.

    Every line is handed to the system at once, so that a run that is killed leaves whole lines only; after an
    exception the partial file stays. An older file stands until it is replaced.

    Attributes:
        path: the file that will stand at the end.
        partial: the file that grows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f"{path.name}.partial")
        self._stream: FileIO | None = None
        self._end = 0  # bytes of whole lines

    def __enter__(self) -> Self:
        """Start an empty partial file.

        Raises:
            OutputError: if it cannot be written.
        """
        try:
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.partial.open("wb", buffering=0)
        except OSError as error:
            raise self._error(error) from error
        self._end = 0
        return self

    def write(self, line: bytes) -> None:
        """Append a line, which ends in a line feed.

        Raises:
            OutputError: if it cannot be written.
        """
        if self._stream is None:
            raise ValueError("a LineLog is written to inside its with block")
        try:
            written = self._stream.write(line)
        except OSError as error:
            raise self._error(error) from error
        if written != len(line):  # the disk is full: what is torn is cut off when the block ends
            raise OutputError(
                f"cannot write {self.partial}: only a part of a line was taken; is the disk full?"
            )
        self._end += len(line)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Rename the file if all went well, else cut off what is torn.

        Raises:
            OutputError: if the file cannot be renamed.
        """
        stream = self._stream
        if stream is None:
            return
        self._stream = None
        try:
            with stream:
                if kind is not None:
                    stream.truncate(self._end)
                os.fsync(stream.fileno())
            if kind is None:
                self.partial.replace(self.path)
        except OSError as failure:
            if kind is None:
                raise self._error(failure) from failure

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.partial}: {error.strerror or error}")
