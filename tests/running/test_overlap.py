from __future__ import annotations

from contextlib import closing
from threading import Event, current_thread, get_ident
from typing import TYPE_CHECKING

import pytest

from wsloc.running.overlap import worked_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_results_come_in_order() -> None:
    assert [(item, job.result()) for item, job in worked_ahead(range(5), lambda n: n * n)] == [
        (n, n * n) for n in range(5)
    ]
    assert list(worked_ahead([], str)) == []


def test_the_next_item_is_worked_on_while_a_result_is_used() -> None:
    """In one other thread; items are taken in this one."""
    begun = [Event() for _ in range(3)]
    takers, workers = set[int](), set[int]()

    def items() -> Iterator[int]:
        for number in range(3):
            takers.add(get_ident())
            yield number

    def work(number: int) -> int:
        workers.add(get_ident())
        begun[number].set()
        return number

    for number, job in worked_ahead(items(), work):
        assert job.result() == number
        assert begun[min(number + 1, 2)].wait(10)
    assert takers == {get_ident()}
    assert len(workers) == 1
    assert not workers & takers


def test_at_most_three_items_are_held() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    for number, job in worked_ahead(items(), str):
        job.result()
        assert len(taken) <= number + 2


def test_an_error_comes_with_its_result_and_nothing_goes_on_after_it() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 1:
            raise KeyError(number)
        done.append(number)
        return number

    with closing(worked_ahead(range(10), work)) as found:
        assert next(found)[1].result() == 0
        failed = next(found)[1]
        with pytest.raises(KeyError, match="1"):
            failed.result()
    assert set(done) <= {0, 2}


def test_closing_it_ends_its_thread() -> None:
    threads = []
    found = worked_ahead(range(10), lambda _: threads.append(current_thread()))
    next(found)[1].result()
    found.close()
    assert not threads[0].is_alive()
