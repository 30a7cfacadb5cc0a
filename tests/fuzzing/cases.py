"""One damaged file for one reader, and what is wrong with how it is answered."""

from __future__ import annotations

import resource
import shutil
import signal
import traceback
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from wsloc.errors import WslocError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzzing.targets import Target

SECONDS = 8.0  # of processor time that an answer may take: 178 megapixels are decoded twice
MEMORY = 2 << 30  # bytes that the peak may grow by in one case: 178 megapixels, and once more as RGB


class Hang(BaseException):
    """A reader that took too long."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A wrong answer.

    Attributes:
        file: that was damaged, relative to the folder.
        what: went wrong: a traceback, or words.
        key: the same for what is likely the same mistake.
    """

    file: str
    what: str
    key: str


class Cases:
    """The damaged files of one target, by their number.

    Args:
        target: what reads them.
        folder: where they are written; it is this object's own.
        random_seed: decides, with a case's number, what it is.
    """

    def __init__(self, target: Target, folder: Path, random_seed: int) -> None:
        self.target = target
        self.folder = folder
        self.random_seed = random_seed
        folder.mkdir(parents=True)
        target.write(folder)
        self.files = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def write(self, number: int) -> Path:
        """Write a case: the sound files, one of them damaged, which is returned."""
        random = Random(f"{self.random_seed}:{number}")
        chosen = random.choice(list(self.files))
        others = [content for path, content in self.files.items() if path.suffix == chosen.suffix]
        content = self.target.change(chosen.name, self.files[chosen], others, random)
        for path in self.folder.rglob("*"):
            if path.is_symlink() or (path.is_file() and path not in self.files):
                path.unlink()
        for path, sound in {**self.files, chosen: content}.items():
            if not path.is_file() or path.stat().st_size != len(sound) or path.read_bytes() != sound:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(sound)
        return chosen

    def run(self, number: int) -> Finding | None:
        """Have a case read, and tell what is wrong with the answer, if anything is."""
        path = self.write(number)
        file = path.relative_to(self.folder).as_posix()
        peak = _peak()
        try:
            with limited(), warnings.catch_warnings():
                warnings.simplefilter("error")  # a command must not print them
                self.target.read(self.folder, path)
        except WslocError as error:
            text = str(error)
            if not text.strip() or not (str(self.folder) in text or path.stem in text):
                return Finding(file, f"names no file: {text[:500]}", f"nameless {text[:20]}")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return Finding(file, "".join(traceback.format_exception(error))[-6000:], _key(error))
        if _peak() - peak > MEMORY:
            return Finding(file, f"took {(_peak() - peak) >> 20} MiB", f"memory {path.suffix}")
        return None


@contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Hang where the block takes more processor time than that."""

    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak() -> int:
    """Bytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _key(error: BaseException) -> str:
    """The exception's type and the innermost place in wsloc that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/wsloc/" in frame.filename]
    place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "nowhere"
    return f"{type(error).__name__} in {place}"


def keep(cases: Cases, finding: Finding, number: int, folder: Path) -> None:
    """Copy the damaged file and what was said about it."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(cases.write(number), folder / f"{number}-{Path(finding.file).name}")
    (folder / f"{number}.txt").write_text(
        f"{finding.key}\n{finding.what}\n", encoding="utf-8", errors="replace"
    )
