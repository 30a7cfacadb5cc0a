"""Work done ahead by processes, its results handed over in order."""

from __future__ import annotations

import pickle
import signal
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe, Process
from typing import TYPE_CHECKING, Generic, TypeVar

from wsloc.errors import WslocError
from wsloc.signals import signals_waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

Result = TypeVar("Result")
Item = TypeVar("Item")
Work = Callable[[int, Callable[[], None]], Result]
BEGUN = b""  # the message of a worker that begins an item; results are never empty


class LostWorkerError(Exception):
    """A worker process that could not start, or ended before its work was done.

    Attributes:
        number: of the result that is missing.
        item: of that result's items, from 0, the one that the worker had begun; None if that is not known.
    """

    def __init__(self, message: str, number: int, item: int | None = None) -> None:
        super().__init__(message)
        self.number = number
        self.item = item


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
    return _read_ahead(partial(_at_once, work), count, workers)


def read_lists_ahead(work: Callable[[int], Iterable[Item]], count: int, workers: int) -> Iterator[list[Item]]:
    """`read_ahead` for results that are made item by item: `list(work(0))`, `list(work(1))`, ...

    A worker tells which item it begins, so that the one at which it died can be named.

    Raises:
        LostWorkerError: if a process could not start, or was killed; has the item.
        Exception: whatever `work` raised, in its turn.
    """
    return _read_ahead(partial(_item_by_item, work), count, workers)


def _at_once(work: Callable[[int], Result], number: int, _begin: Callable[[], None]) -> Result:
    return work(number)


def _item_by_item(
    work: Callable[[int], Iterable[Item]], number: int, begin: Callable[[], None]
) -> list[Item]:
    items, more = [], iter(work(number))
    while True:
        begin()
        try:
            items.append(next(more))
        except StopIteration:
            return items


def _read_ahead(work: Work[Result], count: int, workers: int) -> Iterator[Result]:
    """`read_ahead` of work that is told how to say that it begins an item."""
    workers = min(workers, count)
    if workers < 1:
        yield from (work(number, _say_nothing) for number in range(count))
        return
    crew: list[_Worker[Result]] = []
    try:
        for first in range(workers):
            with signals_waiting():
                crew.append(_Worker(work, range(first, count, workers)))
        for number in range(count):
            yield crew[number % workers].take(number)
    finally:
        for worker in crew:
            worker.end()
        for worker in crew:
            worker.join()


def _say_nothing() -> None:
    """What work begins where nobody can be lost."""


class _Worker(Generic[Result]):
    """One process and the pipe through which its results come."""

    def __init__(self, work: Work[Result], numbers: range) -> None:
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
        begun = 0
        try:
            while (message := self.results.recv_bytes()) == BEGUN:
                begun += 1
        except (EOFError, OSError) as lost:
            words = f"a worker process was lost ({self._end_in_words()})"
            raise LostWorkerError(words, number, begun - 1 if begun else None) from lost
        result, error = pickle.loads(message)  # noqa: S301 - this process's own child wrote it
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


def _serve(work: Work[Result], numbers: range, results: Connection, ending: Connection) -> None:
    """The life of a worker: it ends with its numbers, by a signal, or when nobody is left to take a result."""
    results.close()  # this process's copy would keep the pipe open when the main process is gone
    # Ctrl-C reaches the whole process group: only the main process answers it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a handler of the main process is not this one's

    def begin() -> None:
        ending.send_bytes(BEGUN)

    for number in numbers:
        outcome: tuple[Result | None, Exception | None]
        try:
            outcome = (work(number, begin), None)
        except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
            if not isinstance(error, WslocError):
                error.add_note(traceback.format_exc())  # a traceback cannot be pickled
            outcome = (None, error)
        try:
            ending.send(outcome)
        except (BrokenPipeError, ConnectionResetError):
            return
