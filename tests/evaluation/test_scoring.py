from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.example_data_set import write_data_set
from tests.running.fake_store import fake_ranks
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_identity import live_identity
from wsloc.evaluation.live_run import LiveOptions, LiveRun
from wsloc.evaluation.report_folder import ReportResults
from wsloc.evaluation.scoring import score_into
from wsloc.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wsloc.evaluation.scores import Scores
    from wsloc.running.unfinished import Work


@pytest.fixture
def run(tmp_path: Path) -> LiveRun:
    data = write_data_set(tmp_path / "val", count=5)
    options = LiveOptions(maps=["cam"], threshold_step=0.5, batch_size=2)
    return LiveRun.prepared(load("demo", device="cpu"), None, Annotated(data), options)


def finish(work: Work, joined: Callable[[], Scores]) -> int:
    assert not work.complete
    return len(joined().ids)


def test_what_is_made_of_the_scores_is_given_back(run: LiveRun, tmp_path: Path) -> None:
    shown: list[int] = []
    out = tmp_path / "out"
    asked = (out, run, live_identity(run), ReportResults(out), finish)
    assert score_into(*asked, on_batch=shown.append) == 5
    assert shown == [2, 2, 1]
    again: list[int] = []
    assert score_into(*asked, on_batch=again.append) == 5  # nobody has said that it is finished: gone on with
    assert again == [5]


def test_one_process_finishes_for_all(run: LiveRun, tmp_path: Path) -> None:
    out, found = tmp_path / "out", dict[int, Any]()

    def go(ranks: Any) -> None:
        found[ranks.rank] = score_into(out, run, live_identity(run), ReportResults(out), finish, ranks=ranks)

    threads = [Thread(target=go, args=(ranks,)) for ranks in fake_ranks(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {0: 5, 1: None}


def test_a_complete_run_has_no_scores_to_join(run: LiveRun, tmp_path: Path) -> None:
    identity = live_identity(run)

    class Complete(ReportResults):
        def identity(self) -> Mapping[str, Any]:
            return identity

        def are_whole(self) -> bool:
            return True

    def ask(work: Work, joined: Callable[[], Scores]) -> bool:
        with pytest.raises(ValueError, match="was complete before"):
            joined()
        return work.complete

    assert score_into(tmp_path, run, identity, Complete(tmp_path), ask) is True
