"""Ctrl-C and SIGTERM: raised where that ends a run in good order, remembered where Python would drop them.

Python drops whatever rises inside some callbacks of its own: around a fork, in the import machinery, in finalizers.
A handler that only raises is therefore not enough. `SignalAnswer` remembers what arrived, and raises it again when it
is asked to: between two batches, and at the end of a command.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(BaseException):
    """SIGTERM arrived: files are closed on the way out, as after Ctrl-C."""


class SignalAnswer:
    """The handler of a command: it raises from `begin` to `end`, and only remembers before and after.

    Attributes:
        arrived: what is to be raised for the first signal that came; None without any.
    """

    def __init__(self) -> None:
        self.arrived: type[BaseException] | None = None
        self._raising = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt or Terminated; a further SIGTERM is ignored while files are being closed.

        That is known by the first one's exception being handled, and not before: one that was dropped closes
        nothing, and the second signal must end the run.
        """
        exception = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self.arrived = self.arrived or exception
        if self._raising and not (exception is Terminated and _is_handled(sys.exception())):
            raise exception

    def begin(self) -> None:
        """Raise from now on, at once if a signal has arrived."""
        self._raising = True
        self.check()

    def end(self) -> None:
        """Only remember from now on: the process is about to end by itself."""
        self._raising = False

    def check(self) -> None:
        """Raise what has arrived: nobody comes here unless Python has dropped it."""
        if self.arrived is not None:
            raise self.arrived


def _is_handled(error: BaseException | None) -> bool:
    """Whether an exception that is being handled is a signal's, or rose while one was handled."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt | Terminated):
            return True
        seen.add(id(error))
        error = error.__context__
    return False


def answer_signals() -> SignalAnswer:
    """Install a `SignalAnswer` for Ctrl-C and SIGTERM, unless they are ignored, as nohup leaves them."""
    answer = SignalAnswer()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, answer)
    say = sys.unraisablehook

    def say_others(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt | Terminated):  # those are not lost: `check`
            say(dropped)

    sys.unraisablehook = say_others
    return answer


def installed_answer() -> SignalAnswer | None:
    """The `SignalAnswer` of this process; None where somebody else answers, as in Python sessions."""
    return next((found for found in map(signal.getsignal, SIGNALS) if isinstance(found, SignalAnswer)), None)


def check_signals() -> None:
    """Raise what a signal asked for and Python dropped; for the moments between two batches."""
    answer = installed_answer()
    if answer is not None:
        answer.check()


@contextmanager
def signals_waiting() -> Iterator[None]:
    """SIGINT and SIGTERM are answered after the block: what they raise within a fork, Python prints and drops.

    A forked process that gets one before it has its own answers just ends.
    """
    if threading.current_thread() is not threading.main_thread():  # no handler is ever run in this one
        yield
        return
    main_process, waiting = os.getpid(), list[int]()

    def remember(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != main_process:
            os._exit(128 + number)
        waiting.append(number)

    answers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number in answers:
            signal.signal(number, remember)
        yield
    finally:
        for number, answer in answers.items():
            signal.signal(number, signal.SIG_DFL if answer is None else answer)
        for arrived in waiting:
            signal.raise_signal(arrived)
