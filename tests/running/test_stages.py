from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from wsloc.running.stages import BOXES, DECODE, FORWARD, STAGES, WAIT_FOR_DECODE, Stages, profile_lines


def test_seconds_add_up_from_all_threads_in_the_order_of_the_stages() -> None:
    stages = Stages()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stages.add(BOXES, 0.5), range(200)))
    stages.add(DECODE, 2)
    assert list(stages.seconds().items()) == [(DECODE, 2), (BOXES, 100)]


def test_a_block_is_measured_though_it_fails() -> None:
    stages = Stages()

    def fail() -> None:
        with stages.measure(BOXES):
            time.sleep(0.02)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert 0.02 <= stages.seconds()[BOXES] < 2


def test_what_the_device_has_left_to_do_counts_where_it_is_begun() -> None:
    stages = Stages(settle=lambda: time.sleep(0.02))
    with stages.measure(FORWARD, on_device=True):
        pass
    with stages.measure(BOXES):
        pass
    found = stages.seconds()
    assert found[FORWARD] >= 0.02
    assert found[BOXES] < 0.02


def test_items_pass_and_only_the_wait_for_them_counts() -> None:
    def slow() -> list[int]:
        time.sleep(0.02)
        return [3]

    stages, seen = Stages(), list[int]()
    for item in stages.waiting(WAIT_FOR_DECODE, (item for make in (slow, slow) for item in make())):
        seen.append(item)
        time.sleep(0.1)
    assert seen == [3, 3]
    assert 0.04 <= stages.seconds()[WAIT_FOR_DECODE] < 0.2


def test_lines_to_be_read() -> None:
    head, decode, forward = profile_lines({DECODE: 1.5, FORWARD: 3.0}, 4.0)
    assert head == "where the time went, of 4.00 s (stages run beside one another):"
    assert decode.split()[:4] == ["decode", "1.50", "s", "37.5%"]
    assert forward.split() == ["forward", "3.00", "s", "75.0%", *STAGES[FORWARD].split()]
    (head,) = profile_lines({}, 4.0, " of process 0")
    assert head.startswith("where the time of process 0 went, of 4.00 s")
    assert profile_lines({}, 0.0) == ["where the time went, of 0.00 s (stages run beside one another):"]
