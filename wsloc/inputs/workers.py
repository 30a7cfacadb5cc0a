"""Work done ahead by processes, its results handed over in order."""

from __future__ import annotations

import os
import signal
import threading
import traceback
import warnings
from contextlib import contextmanager
from multiprocessing import Pipe, Process
from typing import TYPE_CHECKING, Generic, TypeVar

from wsloc.errors import WslocError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from types import FrameType

Result = TypeVar("Result")


class LostWorkerError(Exception):
    """A worker process that could not start, or ended before its work was done.

    Attributes:
        number: of the result that is missing.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def read_ahead(work: Callable[[int], Result], count: int, workers: int) -> Iterator[Result]:
    """`work(0)`, `work(1)`, ..., `work(count - 1)`, in this order, done ahead by worker processes.

    Worker i does every `workers`-th number from i on and waits with each result until it is taken: one result a
    worker is held, or as many small ones as its pipe has room for (64 KiB). Nothing depends on how many workers
    there are. Results travel through one pipe a worker, without shared memory (containers keep it small) and
    without a lock that a dying worker could take with it.

    Args:
        work: what is done; it must be possible to pickle it and its results.
        count: how many results there are.
        workers: processes; 0 does the work in this one.

    Raises:
        LostWorkerError: if a process could not start, or was killed.
        Exception: whatever `work` raised, in its turn.
    """
    workers = min(workers, count)
    if workers < 1:
        yield from map(work, range(count))
        return
    crew: list[_Worker[Result]] = []
    try:
        for first in range(workers):
            with _signals_waiting():
                crew.append(_Worker(work, range(first, count, workers)))
        for number in range(count):
            yield crew[number % workers].take(number)
    finally:
        for worker in crew:
            worker.end()
        for worker in crew:
            worker.join()


class _Worker(Generic[Result]):
    """One process and the pipe through which its results come."""

    def __init__(self, work: Callable[[int], Result], numbers: range) -> None:
        self.results, ending = Pipe(duplex=False)
        self.process = Process(target=_serve, args=(work, numbers, self.results, ending), daemon=True)
        try:
            with warnings.catch_warnings():
                # Python 3.12 warns of any fork beside threads (torch has some): another thread's locks stay locked
                # in the child. These children take none of theirs: they run Pillow and NumPy.
                warnings.simplefilter("ignore", DeprecationWarning)
                self.process.start()
        except OSError as error:
            self.results.close()
            raise LostWorkerError(
                f"a worker process could not start ({error.strerror})", numbers[0]
            ) from error
        finally:
            ending.close()  # a pipe ends with its last writer: only so is a dead worker noticed

    def take(self, number: int) -> Result:
        """The next result, which is that of `number`."""
        try:
            result, error = self.results.recv()
        except (EOFError, OSError) as lost:
            raise LostWorkerError(f"a worker process was lost ({self._end_in_words()})", number) from lost
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # what comes through a pipe has no type

    def _end_in_words(self) -> str:
        self.process.join(1)
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        name = signal.Signals(-code).name
        return f"{name}: out of memory?" if name == "SIGKILL" else name

    def end(self) -> None:
        self.results.close()
        self.process.terminate()

    def join(self) -> None:
        self.process.join()
        self.process.close()


@contextmanager
def _signals_waiting() -> Iterator[None]:
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

    answers = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in answers:
            signal.signal(number, remember)
        yield
    finally:
        for number, answer in answers.items():
            signal.signal(number, signal.SIG_DFL if answer is None else answer)
        for number in waiting:
            signal.raise_signal(number)


def _serve(work: Callable[[int], Result], numbers: range, results: Connection, ending: Connection) -> None:
    """The life of a worker: it ends with its numbers, by a signal, or when nobody is left to take a result."""
    results.close()  # this process's copy would keep the pipe open when the main process is gone
    # Ctrl-C reaches the whole process group: only the main process answers it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a handler of the main process is not this one's
    for number in numbers:
        outcome: tuple[Result | None, Exception | None]
        try:
            outcome = (work(number), None)
        except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
            if not isinstance(error, WslocError):
                error.add_note(traceback.format_exc())  # a traceback cannot be pickled
            outcome = (None, error)
        try:
            ending.send(outcome)
        except (BrokenPipeError, ConnectionResetError):
            return
