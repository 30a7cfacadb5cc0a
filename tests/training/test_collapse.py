"""A collapse is said once, and only if it lasts."""

from __future__ import annotations

import pytest

from wsloc.training.collapse import STEPS, CollapseWatch
from wsloc.training.records import StepReport


def report(name: str, share: float | None) -> StepReport:
    return StepReport(0, 1, 2, 4, 0.5, {} if share is None else {name: share})


@pytest.mark.parametrize(
    ("name", "words"),
    [("equal_entropies", "lambda has collapsed"), ("empty_supervised", "the attention has died out")],
)
@pytest.mark.parametrize(
    ("shares", "warnings"),
    [
        ([1.0] * STEPS, 1),
        ([0.5] * 3 * STEPS, 1),
        ([1.0] * (STEPS - 1), 0),
        ([*[1.0] * (STEPS - 1), 0.4, *[1.0] * (STEPS - 1)], 0),
        ([None] * 2 * STEPS, 0),
    ],
    ids=["at once", "once", "short", "broken", "not logged"],
)
def test_what_lasts_is_said_once(name: str, words: str, shares: list[float | None], warnings: int) -> None:
    said: list[str] = []
    passed: list[StepReport] = []
    watch = CollapseWatch(passed.append, said.append)
    for share in shares:
        watch.step(report(name, share))
    assert len(said) == warnings
    assert all(words in line for line in said)
    assert len(passed) == len(shares)


def test_nobody_need_listen() -> None:
    watch = CollapseWatch(None, None)
    for _ in range(STEPS):
        watch.step(report("equal_entropies", 1.0))
