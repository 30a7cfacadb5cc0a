"""A collapse of lambda is said once, and only if it lasts."""

from __future__ import annotations

import pytest

from wsloc.training.collapse import STEPS, CollapseWatch
from wsloc.training.records import StepReport


def report(equal: float | None) -> StepReport:
    return StepReport(0, 1, 2, 4, 0.5, {} if equal is None else {"equal_entropies": equal})


@pytest.mark.parametrize(
    ("shares", "warnings"),
    [
        ([1.0] * STEPS, 1),
        ([0.5] * 3 * STEPS, 1),
        ([1.0] * (STEPS - 1), 0),
        ([*[1.0] * (STEPS - 1), 0.4, *[1.0] * (STEPS - 1)], 0),
        ([None] * 2 * STEPS, 0),
    ],
    ids=["at once", "once", "short", "broken", "no lambda"],
)
def test_what_lasts_is_said_once(shares: list[float | None], warnings: int) -> None:
    said: list[str] = []
    passed: list[StepReport] = []
    watch = CollapseWatch(passed.append, said.append)
    for share in shares:
        watch.step(report(share))
    assert len(said) == warnings
    assert all("lambda has collapsed" in words for words in said)
    assert len(passed) == len(shares)


def test_nobody_need_listen() -> None:
    watch = CollapseWatch(None, None)
    for _ in range(STEPS):
        watch.step(report(1.0))
