from __future__ import annotations

import signal
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsloc.signals import (
    SIGNALS,
    SignalAnswer,
    Terminated,
    answer_signals,
    check_signals,
    installed_answer,
    signals_waiting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RAISED = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """A shell's background jobs, of which these tests may be one, ignore Ctrl-C."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def answer(_as_in_a_terminal: None) -> Iterator[SignalAnswer]:
    hook = sys.unraisablehook
    yield answer_signals()
    sys.unraisablehook = hook


def drop(number: int) -> None:
    """A signal where Python drops what it raises: in the callback of a weak reference, as the import locks have."""

    class Target:
        pass

    target = Target()
    reference = weakref.ref(target, lambda _: signal.raise_signal(number))
    del target
    assert reference() is None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_the_beginning_waits_for_it(answer: SignalAnswer, number: signal.Signals) -> None:
    assert installed_answer() is answer
    signal.raise_signal(number)
    with pytest.raises(RAISED[number]):
        answer.begin()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_within_raises_and_one_at_the_end_does_not(
    answer: SignalAnswer, number: signal.Signals
) -> None:
    answer.begin()
    with pytest.raises(RAISED[number]):
        signal.raise_signal(number)
    answer.end()
    signal.raise_signal(number)
    assert answer.arrived is RAISED[number]


@pytest.mark.parametrize("number", SIGNALS)
def test_what_python_drops_is_raised_at_the_next_check(
    answer: SignalAnswer, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    answer.begin()
    check_signals()
    drop(number)
    with pytest.raises(RAISED[number]):
        check_signals()
    assert capsys.readouterr().err == ""


def test_a_second_sigterm_ends_what_the_first_one_did_not(answer: SignalAnswer) -> None:
    answer.begin()
    drop(signal.SIGTERM)
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)


def test_files_are_closed_in_peace(answer: SignalAnswer) -> None:
    """Whatever else goes wrong meanwhile; Ctrl-C, which somebody types, is heard."""
    answer.begin()
    closed: list[str] = []

    def run() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            try:
                Path("gone").stat()
            except FileNotFoundError:
                signal.raise_signal(signal.SIGTERM)
            closed.append("file")
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(Terminated):
        run()
    assert closed == ["file"]


@pytest.mark.usefixtures("answer")
def test_other_dropped_errors_are_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    answer_signals()

    class Target:
        pass

    target = Target()
    reference = weakref.ref(target, lambda _: 1 / 0)
    del target
    assert reference() is None
    assert len(told) == 1


def test_what_is_ignored_stays_ignored() -> None:
    before, hook = signal.signal(signal.SIGINT, signal.SIG_IGN), sys.unraisablehook
    term = signal.getsignal(signal.SIGTERM)
    try:
        answer_signals()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert installed_answer() is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, term)
        sys.unraisablehook = hook


def test_without_an_answer_nothing_is_checked() -> None:
    assert installed_answer() is None
    check_signals()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end_of_a_block(answer: SignalAnswer, number: signal.Signals) -> None:
    answer.begin()
    done: list[bool] = []

    def fork() -> None:
        with signals_waiting():
            signal.raise_signal(number)
            done.append(True)

    with pytest.raises(RAISED[number]):
        fork()
    assert done == [True]
    assert signal.getsignal(number) is answer


def test_other_threads_have_nothing_to_wait_for() -> None:
    entered: list[bool] = []

    def enter() -> None:
        with signals_waiting():
            entered.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [True]
