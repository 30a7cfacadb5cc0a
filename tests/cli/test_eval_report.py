"""The table of figures on a terminal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from tests.outputs import report_examples
from wsloc.cli.console import Talk
from wsloc.cli.eval_report import HEADINGS, report_evaluation

if TYPE_CHECKING:
    from wsloc.evaluation.reporting import Evaluation


@pytest.mark.parametrize(("width", "parts"), [(80, 3), (120, 2)])
def test_many_runs_fit_on_a_terminal(width: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = dict.fromkeys((*HEADINGS, "an_error_of_another_kind"), 0.5)
    runs = [
        report_examples.run("entropy-class", f"threshold 0.{number:02d}, tuned", metrics=metrics)
        for number in range(20)
    ]
    report = report_examples.report(*runs, notes=(), failures=())
    talk = Talk()
    talk.out.width = width
    printed: list[str] = []
    monkeypatch.setattr(talk, "_write", printed.append)
    report_evaluation(talk, cast("Evaluation", SimpleNamespace(report=report)), Path("out"))
    lines = [line.rstrip() for text in printed for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    tables = sum(line.startswith("map, box") for line in lines)
    assert tables == parts
    assert sum(line.startswith("entropy-class,") for line in lines) == 20 * tables
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)  # nothing is cut
