from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pytest

from tests.running.fake_store import fake_ranks
from wsloc.running.carrying import Clock, carry_out
from wsloc.running.journal import copy_lines
from wsloc.running.plans import FOLDER
from wsloc.running.recording import record_batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from wsloc.running.ranks import Ranks
    from wsloc.running.recording import Progress
    from wsloc.running.unfinished import Work

IDENTITY = {"command": "boxes", "images": 5, "batch_size": 2}


class Whole:
    """Results that are whole once `all` is there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def identity(self) -> Mapping[str, object] | None:
        return IDENTITY if self.are_whole() else None

    def are_whole(self) -> bool:
        return (self.folder / "all").is_file()

    def clear(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def tidy(self, images: Iterable[str]) -> None:
        pass


class Command:
    """Records numbers of batches, and joins them."""

    def __init__(self, folder: Path, *, stop_at: int = -1) -> None:
        self.folder, self.stop_at = folder, stop_at
        self.done: list[int] = []
        self.joined = 0

    def record(self, work: Work, progress: Progress) -> None:
        def batches() -> Iterable[list[int]]:
            for number in work.todo:
                if number == self.stop_at:
                    raise KeyboardInterrupt
                self.done.append(number)
                yield [number] * (1 if number == 2 else 2)

        record_batches(
            work,
            batches(),
            line=lambda number: b'{"image": "%d"}\n' % number,
            write=lambda _number: [],
            tally=lambda _number: {},
            progress=progress,
        )

    def join(self, work: Work) -> None:
        self.joined += 1
        (self.folder / "all").write_bytes(b"".join(copy_lines(work.entries())))

    def run(self, shown: list[int], ranks: Ranks | None = None) -> int | None:
        return carry_out(
            self.folder,
            IDENTITY,
            Whole(self.folder),
            batches=range(3),
            record=self.record,
            join=self.join,
            on_batch=shown.append,
            ranks=ranks,
        )


def test_a_run_is_done_gone_on_with_and_left_when_complete(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first, second, third = Command(out, stop_at=2), Command(out), Command(out)
    with pytest.raises(KeyboardInterrupt):
        first.run([])
    shown: list[int] = []
    assert second.run(shown) == 2  # the batch before the stop has no mark yet
    assert (second.done, second.joined, shown) == ([1, 2], 1, [2, 2, 1])
    assert (out / "all").read_bytes().count(b"\n") == 5
    assert not (out / FOLDER).exists()
    shown.clear()
    assert third.run(shown) == 5
    assert (third.done, third.joined, shown) == ([], 0, [5])


def test_the_leading_process_alone_joins(tmp_path: Path) -> None:
    from threading import Thread

    leader, other = Command(tmp_path / "out"), Command(tmp_path / "out")
    ranks, said = fake_ranks(2), list[int | None]()
    thread = Thread(target=lambda: said.append(other.run([], ranks[1])))
    thread.start()
    said.append(leader.run([], ranks[0]))
    thread.join()
    assert sorted(map(str, said)) == ["0", "None"]
    assert (leader.done, other.done, leader.joined, other.joined) == ([0, 2], [1], 1, 0)


def test_a_clock_tells_when_and_how_long() -> None:
    clock = Clock()
    assert clock.started.tzinfo is UTC
    assert 0 <= clock.seconds <= clock.seconds < 60
