from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.example_data_set import write_data_set
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_identity import live_identity
from wsloc.evaluation.live_run import LiveOptions, LiveRun
from wsloc.evaluation.run_keys import BoxRule
from wsloc.loader import load
from wsloc.running.identity import run_differences

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.localizer import Localizer


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return load("demo", device="cpu")


def prepared(localizer: Localizer, data: Path, **options: Any) -> LiveRun:
    return LiveRun.prepared(localizer, None, Annotated(data), LiveOptions(maps=("cam",), **options))


def test_what_has_no_bearing_on_the_report_does_not_count(localizer: Localizer, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    one = live_identity(prepared(localizer, data, arguments={"output": "a", "workers": 1, "mass": "0.98"}))
    other = live_identity(prepared(localizer, data, workers=2, arguments={"output": "b", "mass": None}))
    assert run_differences(one, other) == []
    assert one["command"] == "eval"


def test_what_differs_is_named(localizer: Localizer, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    run = prepared(localizer, data)
    there = live_identity(run)
    tuned = prepared(localizer, data, tune_on=Annotated(data))
    others = {
        "batch size (16 there, 2 here)": prepared(localizer, data, batch_size=2),
        "box rules (threshold 0.2 there, mass 0.9 here)": prepared(
            localizer, data, rules=[BoxRule("mass", 0.9)]
        ),
        "ten crop (False there, True here)": prepared(localizer, data, ten_crop=True),
        "random seed (0 there, 3 here)": prepared(localizer, data, random_seed=3),
    }
    for words, other in others.items():
        assert run_differences(there, live_identity(other)) == [words]
    assert [
        text.partition(" (")[0]
        for text in run_differences(there, live_identity(replace(run, tuning=tuned.tuning)))
    ] == ["tune on", "tune images"]


def test_annotations_count_by_what_they_say(localizer: Localizer, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    there = live_identity(prepared(localizer, data))
    table = data / "val_annotations.txt"
    first, rest = table.read_text().split("\n", maxsplit=1)
    *words, edge = first.split("\t")
    table.write_text("\t".join([*words, str(int(edge) - 1)]) + "\n" + rest)
    (words_of_difference,) = run_differences(there, live_identity(prepared(localizer, data)))
    assert words_of_difference.startswith("annotations (")
