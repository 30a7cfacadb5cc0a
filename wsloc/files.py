"""Whole files or none: every file wsloc writes goes through here."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import contextmanager, suppress
from shutil import rmtree
from typing import IO, TYPE_CHECKING, Any

from wsloc.errors import OutputError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


REMEDIES = dict.fromkeys(
    (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)),
    "make room, and give the command again",
)
_TEMPORARY = re.compile(r"\.(?:.*\.)?([1-9]\d*)\.partial(?:\.[^.]*)?")


def reason(error: OSError) -> str:
    """What the system says of a file that cannot be written, and what to do about it where wsloc knows."""
    words = error.strerror or str(error)
    remedy = REMEDIES.get(error.errno or 0)
    return words if remedy is None else f"{words}: {remedy}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and goes when it does not.

    The bytes are synced before the rename, so that after a power loss the old or the new file stands, whole.

    Args:
        path: the file to write; its folder is made if it is not there.

    Yields:
        The path to write to, in the same folder, with the same extension (writers that look at it still work).

    Raises:
        OutputError: if the folder or the file cannot be written.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {reason(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove what `replacing` and `replacing_together` left in a folder because their process was killed.

    Those of living processes stay, unless they are of another user: then the number has gone to a stranger.
    """
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        found = _TEMPORARY.fullmatch(path.name)
        if found is None or _is_alive(int(found[1])):
            continue
        if path.is_dir():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    """Whether there is another process of ours with this number."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (OSError, OverflowError):
        return False
    return True


@contextmanager
def replacing_together(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`, whose files take their places there, all of them, when the block ends well.

    Nothing is renamed before everything is written, and can be: files that belong together stay together.

    Args:
        folder: where the files go; made if it is not there.

    Yields:
        The folder to write to.

    Raises:
        OutputError: if the folder or a file cannot be written.
    """
    temporary = folder / f".{os.getpid()}.partial"
    try:
        rmtree(temporary, ignore_errors=True)  # of a process of the same number that was killed
        temporary.mkdir(parents=True)
        yield temporary
        files = sorted(temporary.iterdir())
        for path in files:
            if (folder / path.name).is_dir():
                raise OutputError(
                    f"cannot write {folder / path.name}: it is a folder: move it, or name another one"
                )
        for path in files:
            path.replace(folder / path.name)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {reason(error)}") from error
    finally:
        rmtree(temporary, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make a folder for results, and see whether a file can be written there: before the work, not after it.

    Raises:
        OutputError: if it is a file, or cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: name a folder for the results")
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {reason(error)}") from error


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files on disk, where the system can do that: renames survive a power loss."""
    with suppress(OSError):  # Windows and some network drives have no such thing
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def lock_file(stream: IO[Any]) -> bool:
    """Keep a file, open for writing, from other processes until it is closed; False if one of them has it.

    The lock goes with the process, and is not its children's. True where the system or the drive has no locks.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Write bytes that need not be in memory together, whole or not at all.

    Raises:
        OutputError: if the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(pieces)
