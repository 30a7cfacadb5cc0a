from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.running.fake_store import fake_ranks
from tests.running.test_unfinished import open_all
from wsloc.errors import OutputError
from wsloc.running.journal import copy_lines
from wsloc.running.ranks import Ranks
from wsloc.running.recording import Progress, record_batches

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ITEMS = [["a", "b"], ["c", "d"], [], ["e"], ["f"]]


def line(item: str) -> bytes:
    return f'{{"image": "{item}"}}\n'.encode()


def test_a_batch_is_marked_once_its_files_are_there(tmp_path: Path) -> None:
    """And its line is there before any of its files."""
    journal, files, shown = tmp_path / ".wsloc-unfinished/rank-0.jsonl", tmp_path / "files", list[int]()

    def write(item: str) -> list[Path]:
        assert line(item) in journal.read_bytes()
        (files / item).touch()
        return [files / item]

    def batches() -> Iterator[list[str]]:
        for number, items in enumerate(ITEMS):
            marks = journal.read_bytes().count(b'{"batch": ')
            assert marks == max(0, number - 1)  # the one before waits until this one has been made
            yield items

    files.mkdir()
    with open_all(tmp_path) as work:
        record_batches(
            work,
            batches(),
            line=line,
            write=write,
            tally=lambda item: {"vowels": int(item in "ae")},
            progress=Progress(Ranks(), shown.append),
        )
        entries = work.entries()
    assert b"".join(copy_lines(entries)) == b"".join(map(line, "abcdef"))
    assert [entry.tallies.get("vowels", 0) for entry in entries] == [1, 0, 0, 1, 0]
    assert sorted(path.name for path in files.iterdir()) == list("abcdef")
    assert shown == [2, 2, 1, 1]


def test_a_file_that_cannot_be_written_leaves_its_batch_undone(tmp_path: Path) -> None:
    def write(item: str) -> list[Path]:
        if item == "d":
            raise OutputError("cannot write d: No space left on device")
        return []

    with pytest.raises(OutputError, match="No space left"), open_all(tmp_path) as work:
        record_batches(
            work, ITEMS, line=line, write=write, tally=lambda _: {}, progress=Progress(Ranks(), None)
        )
    with open_all(tmp_path) as work:
        assert work.todo == (1, 2, 3, 4)


def test_the_leading_process_shows_what_all_have_done() -> None:
    first, second = fake_ranks(2)
    shown: list[int] = []
    progress, other = Progress(first, shown.append), Progress(second, None)
    progress.skip(0)
    progress.skip(10)
    other.add(4)
    progress.add(3)
    other.add(4)
    progress.look()
    progress.look()
    assert shown == [10, 7, 4]
