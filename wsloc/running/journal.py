"""What a run has done so far: whole batches, known by a mark behind their lines, on disk before anything counts.

A journal is a file of lines, appended to by one process. The lines of a batch (JSON, one an image, each beginning
with its `image`) are written before the files of its images are, so that no file is there that no line tells of. Once
these are written, a mark closes the batch:

    {"image": "a/b.jpg", ...}
    {"image": "a/c.jpg", ...}
    {"batch": 17, "lines": 2, "tallies": {"flat": 1}, "crc32": 2768625435}

What stands behind the last mark is done again: whoever goes on closes it with a mark of batch -1, so that it stays
known which images may have files. What is torn is cut off.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Self

from wsloc.errors import DataError, OutputError
from wsloc.files import reason, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from io import FileIO
    from pathlib import Path
    from types import TracebackType

_MARK = b'{"batch": '
_ABANDONED = -1  # the batch of a mark behind lines that are done again


@dataclass(frozen=True, slots=True)
class Entry:
    """A batch that is done.

    Attributes:
        batch: its number in the whole list, from 0.
        path: the journal.
        start: byte of the journal where its lines begin.
        end: byte behind its last line, where its mark begins.
        closed: byte behind its mark.
        tallies: what was counted in it, by name.
    """

    batch: int
    path: Path
    start: int
    end: int
    closed: int
    tallies: Mapping[str, int]


class Journal:
    """A journal that is appended to, from the last whole batch on.

        with Journal(path) as journal:
            journal.write(17, lines)
            ...  # the files of the batch's images
            journal.close_batch(tallies)

    Attributes:
        path: the file; its folder must be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: FileIO | None = None
        self._end = 0  # bytes of whole lines
        self._open: tuple[int, bytes] | None = None  # number and lines of the batch that has no mark yet

    def __enter__(self) -> Self:
        """Open the file, or begin it, behind the last whole batch.

        Raises:
            OutputError: if it cannot be written.
            DataError: if it cannot be read.
        """
        try:
            self.path.touch()
            left, self._end = _unclosed(self.path)
            self._stream = self.path.open("r+b", buffering=0)
            self._stream.truncate(self._end)
            self._stream.seek(self._end)
        except OSError as error:
            raise self._error(error) from error
        if left:
            self._append(_mark(_ABANDONED, left.count(b"\n"), {}, zlib.crc32(left)))
        return self

    def write(self, number: int, lines: Sequence[bytes]) -> None:
        """Append the lines of a batch, before its files are written.

        Args:
            number: of the batch, from 0.
            lines: each with its line feed.

        Raises:
            OutputError: if they cannot be written, or the folder is no longer there.
        """
        if self._open is not None:
            raise ValueError("the batch before has not been closed")
        content = b"".join(lines)
        self._append(content)
        self._open = (number, content)
        try:
            os.fsync(self._open_stream().fileno())
        except OSError as error:
            raise self._error(error) from error

    def close_batch(self, tallies: Mapping[str, int], folders: Iterable[Path] = ()) -> None:
        """Append the mark of the batch that was written last: all its files are there.

        Args:
            tallies: what was counted in it, by name.
            folders: that its files went to; their entries are on disk before the mark is.

        Raises:
            OutputError: if the mark cannot be written.
        """
        if self._open is None:
            raise ValueError("there is no batch to close")
        number, content = self._open
        for folder in folders:
            sync_folder(folder)
        self._append(_mark(number, content.count(b"\n"), tallies, zlib.crc32(content)))
        self._open = None

    def sync(self) -> None:
        """Have everything on disk, where other processes read it.

        Raises:
            OutputError: if what was written did not reach the disk.
        """
        try:
            os.fsync(self._open_stream().fileno())
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file, everything on disk: whoever opens it now reads all of it.

        Raises:
            OutputError: if what was written did not reach the disk.
        """
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            with stream:
                os.fsync(stream.fileno())
        except OSError as error:
            raise self._error(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, unless it is; after an exception, what is torn is cut off first.

        Raises:
            OutputError: if what was written did not reach the disk.
        """
        if kind is not None and self._stream is not None:
            with suppress(OSError):
                self._stream.truncate(self._end)
        with suppress(OutputError) if kind is not None else nullcontext():
            self.close()

    def _append(self, content: bytes) -> None:
        stream = self._open_stream()
        try:
            # The file of a folder that was removed can be written to, and is gone when it is closed.
            if os.stat(self.path).st_ino != os.fstat(stream.fileno()).st_ino:  # noqa: PTH116 - beside fstat
                raise OutputError(f"{self.path} was replaced by another file: does another run write there?")
            written = stream.write(content)
        except OSError as error:
            raise self._error(error) from error
        if written != len(content):
            raise OutputError(
                f"cannot write {self.path}: only a part was taken, is the disk full? Make room, and give the command "
                "again"
            )
        self._end += len(content)

    def _open_stream(self) -> FileIO:
        if self._stream is None:
            raise ValueError("a Journal is written to inside its with block")
        return self._stream

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self.path}: {reason(error)}")


def read_entries(path: Path) -> Iterator[Entry]:
    """The whole batches of a journal, in the order they were done; none without the file.

    Raises:
        DataError: if it cannot be read.
    """
    return (entry for entry in _marked(path) if entry.batch != _ABANDONED)


def _marked(path: Path) -> Iterator[Entry]:
    """What marks close, abandoned lines too; as far as they hold."""
    start = end = lines = checksum = 0
    for line in _lines(path):
        if not _is_record(line):
            entry = _entry(line, path, (start, end, end + len(line)), (lines, checksum))
            if entry is None:
                return
            yield entry
            start, lines, checksum = entry.closed, 0, 0
        else:
            lines, checksum = lines + 1, zlib.crc32(line, checksum)
        end += len(line)


def read_images(path: Path, *, of_done_batches: bool = True) -> Iterator[str]:
    """The ids of the images that a journal tells of, or only those behind its last mark; none without the file.

    Raises:
        DataError: if it cannot be read.
    """
    for line in _lines(path, 0 if of_done_batches else _whole_length(path)):
        try:
            image = json.loads(line)["image"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a mark, or torn
        if isinstance(image, str):
            yield image


def copy_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines of batches, a batch at a time, in the order given.

    Raises:
        DataError: if a journal cannot be read, or is no longer what it was.
    """
    for entry in entries:
        try:
            with entry.path.open("rb") as stream:
                stream.seek(entry.start)
                content = stream.read(entry.end - entry.start)
        except OSError as error:
            raise _unreadable(entry.path, error) from error
        if len(content) != entry.end - entry.start:
            raise DataError(f"{entry.path} has become shorter: run the same command again")
        yield content


def _lines(path: Path, start: int = 0) -> Iterator[bytes]:
    """The lines of a journal, without a last one that is torn."""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            for line in stream:
                if line.endswith(b"\n"):
                    yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error


def _mark(batch: int, lines: int, tallies: Mapping[str, int], checksum: int) -> bytes:
    """The line that closes a batch: its own words are part of its checksum, which begins with that of the lines."""
    said: dict[str, Any] = {"batch": batch, "lines": lines, "tallies": dict(tallies)}
    said["crc32"] = zlib.crc32(json.dumps(said).encode(), checksum)
    return json.dumps(said).encode() + b"\n"


def _entry(mark: bytes, path: Path, place: tuple[int, int, int], found: tuple[int, int]) -> Entry | None:
    """What a mark says, if it is that of the lines before it: `found` is their number and their CRC-32."""
    try:
        said = json.loads(mark)
        batch, tallies = said["batch"], said["tallies"]
        if mark != _mark(batch, found[0], tallies, found[1]):
            return None
        return Entry(batch, path, *place, tallies)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _whole_length(path: Path) -> int:
    """Bytes of a journal up to its last mark that holds."""
    return max((entry.closed for entry in _marked(path)), default=0)


def _unclosed(path: Path) -> tuple[bytes, int]:
    """The whole lines behind the last mark that holds, at most up to one that does not, and where they end."""
    start = _whole_length(path)
    left: list[bytes] = list(takewhile(_is_record, _lines(path, start)))
    return b"".join(left), start + sum(map(len, left))


def _is_record(line: bytes) -> bool:
    return not line.startswith(_MARK)


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"cannot read {path}: {error.strerror or error}")
