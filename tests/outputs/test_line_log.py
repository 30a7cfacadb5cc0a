from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.line_log import LineLog

if TYPE_CHECKING:
    from pathlib import Path


def test_it_grows_beside_the_file_and_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"older\n")
    with LineLog(tmp_path / "log.jsonl") as log:
        log.write(b"one\n")
        assert log.partial.read_bytes() == b"one\n"  # handed over at once
        assert log.path.read_bytes() == b"older\n"
        log.write(b"two\n")
    assert log.path.read_bytes() == b"one\ntwo\n"
    assert not log.partial.exists()


def test_after_an_exception_whole_lines_stay(tmp_path: Path) -> None:
    log = LineLog(tmp_path / "log.jsonl")

    def interrupted() -> None:
        with log:
            log.write(b"one\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert log.partial.read_bytes() == b"one\n"
    assert not log.path.exists()


def test_a_full_disk_tears_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = LineLog(tmp_path / "log.jsonl")

    class Full:
        """A file on a disk that takes three bytes more."""

        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def write(self, line: bytes) -> int:
            return int(self.stream.write(line[:3]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()

    def fill() -> None:
        with log:
            log.write(b"one\n")
            monkeypatch.setattr(log, "_stream", Full(log._stream))
            log.write(b"second\n")

    with pytest.raises(OutputError, match="only a part of a line was taken; is the disk full"):
        fill()
    assert log.partial.read_bytes() == b"one\n"


def test_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"cannot write .*log\.jsonl\.partial"),
        LineLog(tmp_path / "file/log.jsonl"),
    ):
        pass
    with pytest.raises(ValueError, match="inside its with block"):
        LineLog(tmp_path / "log.jsonl").write(b"x\n")
