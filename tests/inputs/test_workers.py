from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs import workers as workers_module
from wsloc.inputs.workers import LostWorkerError, read_ahead, read_lists_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LARGE = 200_000  # bytes: more than a pipe takes before somebody reads


def square(number: int) -> int:
    return number * number


def logged(folder: Path, number: int) -> bytes:
    (folder / str(number)).touch()
    return bytes([number]) * LARGE


def failing(number: int) -> int:
    if number == 3:
        raise DataError("number 3\nis bad")
    if number == 5:
        raise KeyError("number 5")
    return number


def dying(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dying_midway(number: int) -> bytes:
    """Dies of a timer while its result, larger than the pipe, waits for a reader."""
    if number == 1:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
    return bytes(LARGE)


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("workers", [0, 1, 2, 3, 9])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_results_come_in_order_whatever_the_number_of_workers(count: int, workers: int) -> None:
    assert list(read_ahead(square, count, workers)) == [number * number for number in range(count)]


def test_work_is_ahead_by_one_result_a_worker_and_no_more(tmp_path: Path) -> None:
    results = read_ahead(partial(logged, tmp_path), 20, 2)
    assert next(results) == bytes(LARGE)
    # Worker 0 was read once and is at its second number, worker 1 waits with its first.
    assert wait_until(lambda: len(list(tmp_path.iterdir())) == 3)
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == 3
    results.close()  # type: ignore[attr-defined]  # it is a generator


def test_workers_end_when_nobody_reads_on(tmp_path: Path) -> None:
    results = read_ahead(partial(logged, tmp_path), 20, 2)
    next(results)
    assert len(multiprocessing.active_children()) == 2
    del results
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_is_raised_in_its_turn_as_it_was(workers: int) -> None:
    results = read_ahead(failing, 8, workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError) as caught:
        next(results)
    assert str(caught.value) == "number 3\nis bad"
    assert not hasattr(caught.value, "__notes__")
    assert multiprocessing.active_children() == []


def test_an_error_nobody_foresaw_tells_where_it_was() -> None:
    with pytest.raises(KeyError) as caught:
        list(read_ahead(lambda number: failing(number + 5), 1, 1))
    assert "in failing" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_is_one_line(workers: int) -> None:
    results = read_ahead(dying, 8, workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LostWorkerError) as caught:
        next(results)
    assert str(caught.value) == "a worker process was lost (SIGKILL: out of memory?)"
    assert (caught.value.number, caught.value.item) == (3, None)
    assert multiprocessing.active_children() == []


def listed(number: int) -> Iterator[int]:
    for item in range(number):
        if (number, item) == (3, 1):
            os.kill(os.getpid(), signal.SIGKILL)
        yield item


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_lists_come_in_order(workers: int) -> None:
    assert list(read_lists_ahead(range, 5, workers)) == [list(range(number)) for number in range(5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_tells_what_it_had_begun(workers: int) -> None:
    results = read_lists_ahead(listed, 8, workers)
    assert [next(results) for _ in range(3)] == [[], [0], [0, 1]]
    with pytest.raises(LostWorkerError, match="SIGKILL") as caught:
        next(results)
    assert (caught.value.number, caught.value.item) == (3, 1)


def test_a_worker_that_dies_with_half_a_result_in_the_pipe_is_noticed() -> None:
    results = read_ahead(dying_midway, 8, 2)
    next(results)
    assert wait_until(lambda: len(multiprocessing.active_children()) == 1)
    with pytest.raises(LostWorkerError, match="SIGALRM") as caught:
        next(results)
    assert caught.value.number == 1


def test_workers_leave_ctrl_c_to_the_main_process(capfd: pytest.CaptureFixture[str]) -> None:
    results = read_ahead(slow, 6, 2)
    seen = [next(results), next(results)]  # so that both have begun
    for child in multiprocessing.active_children():
        assert child.pid is not None
        os.kill(child.pid, signal.SIGINT)
    assert [*seen, *results] == list(range(6))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_midst_of_a_fork_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    """Python runs callbacks of its own around a fork, and drops whatever rises in them."""

    class StoppedError(Exception):
        pass

    def answer(*_: object) -> None:
        raise StoppedError

    fork, main_process = os.fork, os.getpid()

    def interrupted() -> int:
        child = fork()
        if os.getpid() == main_process:
            try:
                os.kill(main_process, number)
                time.sleep(0.01)
            except StoppedError:
                pytest.fail("raised where Python may drop it")
        return child

    monkeypatch.setattr(os, "fork", interrupted)
    before = signal.signal(number, answer)
    try:
        with pytest.raises(StoppedError):
            list(read_ahead(square, 8, 2))
        assert signal.getsignal(number) is answer
    finally:
        signal.signal(number, before)
    assert multiprocessing.active_children() == []
    assert capfd.readouterr() == ("", "")


def test_a_signal_before_a_worker_has_its_own_answers_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fork, main_process = os.fork, os.getpid()

    def interrupted() -> int:
        child = fork()
        if os.getpid() != main_process:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        return child

    monkeypatch.setattr(os, "fork", interrupted)
    with pytest.raises(LostWorkerError, match="exit code 143"):
        list(read_ahead(square, 8, 2))


def slow(number: int) -> int:
    time.sleep(0.05)
    return number


def ever_slower(number: int) -> int:
    time.sleep(number // 2 * 20)
    return number


def test_handlers_of_the_main_process_are_not_the_workers() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        results = read_ahead(ever_slower, 10, 2)
        assert [next(results), next(results)] == [0, 1]  # both have begun, and sleep now
        started = time.monotonic()
        results.close()  # type: ignore[attr-defined]  # it is a generator
        assert time.monotonic() - started < 15
        assert multiprocessing.active_children() == []
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_that_cannot_start_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(multiprocessing.Process, "start", refusing)
    with pytest.raises(LostWorkerError, match=r"could not start \(Resource temporarily unavailable\)"):
        list(read_ahead(square, 3, 2))


def test_pythons_warning_of_forks_beside_threads_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = os.fork

    def warning() -> int:
        warnings.warn("This process is multi-threaded", DeprecationWarning, stacklevel=1)
        return fork()

    monkeypatch.setattr(os, "fork", warning)
    assert list(read_ahead(square, 3, 2)) == [0, 1, 4]


def test_workers_do_not_outlive_a_killed_main_process(tmp_path: Path) -> None:
    program = f"""
import os, signal, sys
from pathlib import Path
from wsloc.inputs.workers import read_ahead

def work(number):
    Path({str(tmp_path)!r}, str(os.getpid())).touch()
    return bytes({LARGE})

results = read_ahead(work, 100, 3)
next(results), next(results), next(results)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(workers_module.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, "", "")
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 3
    assert wait_until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
