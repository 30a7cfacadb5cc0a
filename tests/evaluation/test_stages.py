from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.running.fake_store import fake_ranks
from wsloc.errors import RunError
from wsloc.evaluation.report_folder import ReportResults
from wsloc.evaluation.stages import stages
from wsloc.running.ranks import Ranks
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"command": "eval", "images": 5, "batch_size": 2}


def test_stages_stand_one_behind_the_other_in_one_journal(tmp_path: Path) -> None:
    with open_work(tmp_path, IDENTITY, ReportResults(tmp_path), batches=range(5), ranks=Ranks()) as work:
        first, second = stages(work, 3, 2)
        assert (first.todo, second.todo) == ([0, 1, 2], [0, 1])
        for number in (1, 0):
            second.keep(number, b'{"second": %d}\n' % number)
        assert list(second.lines()) == [b'{"second": 0}\n', b'{"second": 1}\n']
        with pytest.raises(RunError, match="3 of 3 batches are missing"):
            first.lines()
    with open_work(tmp_path, IDENTITY, ReportResults(tmp_path), batches=range(5), ranks=Ranks()) as work:
        first, second = stages(work, 3, 2)
        assert (first.todo, second.todo, work.skipped) == (
            [0, 1, 2],
            [],
            0,
        )  # images count in the first stage


def test_processes_meet_between_two_stages(tmp_path: Path) -> None:
    seen: dict[int, list[bytes]] = {}

    def go(ranks: Ranks) -> None:
        with open_work(tmp_path, IDENTITY, ReportResults(tmp_path), batches=range(5), ranks=ranks) as work:
            first, _ = stages(work, 4, 1)
            for number in first.todo:
                first.keep(number, b"%d\n" % number)
            first.meet()
            seen[ranks.rank] = list(first.lines())

    threads = [Thread(target=go, args=(ranks,)) for ranks in fake_ranks(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen[0] == seen[1] == [b"0\n", b"1\n", b"2\n", b"3\n"]
