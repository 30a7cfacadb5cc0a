from __future__ import annotations

import threading
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from tests.running.fake_store import fake_ranks
from wsloc.errors import RunError, UsageError
from wsloc.running import ranks as module
from wsloc.running.ranks import LAUNCHER, Ranks, joined, launched, on_this_machine

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`launch(RANK="1", ...)` sets a launcher's variables, and no others."""

    def set_them(**variables: str) -> None:
        for name in (*LAUNCHER, "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


PLACE = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


def test_the_launcher_says_who_a_process_is(launch: Callable[..., None]) -> None:
    launch()
    assert launched() == (0, 1)
    assert on_this_machine() == (0, 1)
    launch(RANK="3", WORLD_SIZE="8")  # left over from something else: nobody to meet
    assert launched() == (0, 1)
    launch(RANK="3", WORLD_SIZE="8", **PLACE)
    assert launched() == (3, 8)
    assert on_this_machine() == (3, 1)
    launch(RANK="5", WORLD_SIZE="8", LOCAL_RANK="1", LOCAL_WORLD_SIZE="4", **PLACE)
    assert on_this_machine() == (1, 4)


@pytest.mark.parametrize(("rank", "size"), [("8", "8"), ("-1", "2"), ("x", "2"), ("0", "0")])
def test_variables_that_make_no_sense_are_told(launch: Callable[..., None], rank: str, size: str) -> None:
    launch(RANK=rank, WORLD_SIZE=size, **PLACE)
    with pytest.raises(UsageError, match=f"RANK={rank} and WORLD_SIZE={size}: start wsloc by torchrun"):
        launched()


def test_one_process_has_nobody_to_meet(launch: Callable[..., None]) -> None:
    launch(RANK="0", WORLD_SIZE="1", **PLACE)
    with joined() as ranks:
        assert ranks == Ranks()
        assert ranks.leads
        ranks.tell("done")


def test_what_is_told_is_heard() -> None:
    first, second = fake_ranks(2)
    assert (first.leads, second.leads) == (True, False)
    waits: list[int] = []

    def later() -> None:
        waits.append(1)
        if len(waits) == 2:
            second.tell("done", "wörd")

    assert first.hear("done", 1, later) == "wörd"
    assert len(waits) == 2
    assert (first.count("images", 3), second.count("images", 4)) == (3, 7)


def test_a_process_that_shows_no_life_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)
    monkeypatch.setattr(module, "PATIENCE", 0.5)
    first, second = fake_ranks(2)
    for beats, patience in ((0, 0.5), (1, 0.2)):
        second.count("beats/1", beats)
        start = time.monotonic()
        with pytest.raises(
            RunError, match="process 1 of 2 shows no life: its images are not done: run the same"
        ):
            first.hear("done", 1)
        assert time.monotonic() - start >= patience


def test_a_process_that_shows_life_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.5)
    monkeypatch.setattr(module, "HEARTBEAT", 0.05)
    first, second = fake_ranks(2)
    ended = Event()
    threading.Thread(target=second.show_life, args=(ended,)).start()
    timer = threading.Timer(1.2, second.tell, ("done", "at last"))
    timer.start()
    assert first.hear("done", 1) == "at last"
    ended.set()
    timer.join()


def test_a_store_that_is_gone_is_one_line() -> None:
    first, _ = fake_ranks(2)
    first.store.broken = True
    for ask in (lambda: first.tell("done"), lambda: first.hear("done", 1), lambda: first.count("images", 1)):
        with pytest.raises(
            RunError, match=r"^the other processes of this run cannot be reached: run the same"
        ):
            ask()
    first.show_life(Event())  # ends: the thread that works will notice


def test_others_that_never_come_are_one_line(
    launch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    launch(RANK="1", WORLD_SIZE="2", **PLACE)
    with (
        pytest.raises(
            RunError, match=r"the other processes of this run cannot be reached at 127\.0\.0\.1:1$"
        ),
        joined(),
    ):
        pass
