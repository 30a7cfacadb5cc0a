"""Options of where and how fast the network runs, alike in all commands over images."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import torch

from tests.evaluation.example_data_set import write_data_set
from tests.networks.test_compiled import failing_compile
from wsloc.cli.running_options import Precision, default_workers
from wsloc.networks.precision import PRECISIONS
from wsloc.running.stages import (
    DECODE,
    FORWARD,
    LABELLING,
    MAPPING,
    RECORD,
    SCORES,
    WAIT_FOR_DECODE,
    WAIT_FOR_NETWORK,
    WAIT_FOR_SCORES,
    WRITE,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data") / "val")


@pytest.fixture
def asked(scenes: Path, data: Path, gap_checkpoint: Path) -> dict[str, tuple[object, ...]]:
    """Each command, over a few images."""
    return {
        "boxes": ("boxes", scenes, "--checkpoint", gap_checkpoint),
        "seeds": ("seeds", scenes, "--checkpoint", gap_checkpoint),
        "eval": ("eval", "--annotations", data, "--checkpoint", "demo", "--threshold-step", 0.1),
    }


def test_the_precisions_are_those_of_the_library() -> None:
    """They are spelled twice, so that `--help` need not load torch."""
    assert [name.value for name in Precision] == ["auto", *PRECISIONS]


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4)])
def test_half_of_the_processors_decode(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(processors)), raising=False)
    assert default_workers() == workers
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert default_workers() == workers


@pytest.mark.parametrize(("here", "workers"), [(1, 4), (2, 4), (4, 2), (16, 1)])
def test_processes_of_a_run_share_the_processors(
    monkeypatch: pytest.MonkeyPatch, here: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(16)), raising=False)
    place = {"RANK": "0", "WORLD_SIZE": "32", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in {**place, "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": str(here)}.items():
        monkeypatch.setenv(name, value)
    assert default_workers() == workers


def test_boxes_say_where_the_time_went(
    command: Command, asked: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    ran = command(*asked["boxes"], "-o", tmp_path / "out", "--profile", "--json")
    assert ran.code == 0, ran.stderr
    profile = json.loads(ran.stdout)["profile"]
    assert profile
    assert all(seconds >= 0 for seconds in profile.values())
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["profile"] == profile


def test_seeds_say_where_the_time_went(
    command: Command, asked: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    ran = command(*asked["seeds"], "-o", tmp_path / "out", "--profile", "--json")
    assert ran.code == 0, ran.stderr
    profile = json.loads(ran.stdout)["profile"]
    own = [DECODE, WAIT_FOR_DECODE, FORWARD, MAPPING, WAIT_FOR_NETWORK, LABELLING, RECORD, WRITE]
    assert list(profile) == own
    assert all(profile[stage] > 0 for stage in (DECODE, FORWARD, LABELLING))
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["profile"] == profile
    head, *lines = (line for line in ran.stderr.splitlines() if not line.startswith("predicted labels"))
    assert head.startswith("where the time went, of ")
    assert [line.split("  ")[1] for line in lines] == own
    again = command(*asked["seeds"], "-o", tmp_path / "out")
    assert "nothing is left to do" in again.stderr


def test_an_evaluation_says_where_the_time_went_and_writes_the_same_report(
    command: Command, asked: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    plain = command(*asked["eval"], "-o", tmp_path / "plain")
    ran = command(*asked["eval"], "-o", tmp_path / "told", "--profile", "--json")
    assert (plain.code, ran.code) == (0, 0), ran.stderr
    profile = json.loads(ran.stdout)["profile"]
    assert list(profile) == [DECODE, WAIT_FOR_DECODE, FORWARD, MAPPING, SCORES, WAIT_FOR_SCORES]
    assert all(profile[stage] > 0 for stage in (DECODE, FORWARD, SCORES))
    assert "where the time went, of " in ran.stderr
    for name in ("report.html", "images.csv"):
        told = (tmp_path / "told" / name).read_text()
        assert (
            told.replace(str(tmp_path / "told"), str(tmp_path / "plain"))
            == (tmp_path / "plain" / name).read_text()
        )


def test_ten_crops_count_as_forward_passes(
    command: Command, asked: dict[str, tuple[object, ...]], tmp_path: Path
) -> None:
    ran = command(*asked["eval"], "-o", tmp_path, "--ten-crop", "--profile", "--json")
    assert ran.code == 0, ran.stderr
    assert json.loads(ran.stdout)["profile"][FORWARD] > 0


@pytest.mark.parametrize("name", ["boxes", "seeds", "eval"])
def test_without_a_compiler_compiling_is_refused_before_the_work(
    command: Command,
    asked: dict[str, tuple[object, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setattr(torch, "compile", failing_compile)
    ran = command(*asked[name], "--compile", "-o", tmp_path / "out")
    assert ran.code == 1
    assert ran.stderr.startswith("wsloc: error: torch.compile failed (No working C++ compiler found")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["boxes", "seeds", "eval"])
def test_each_precision_runs(
    command: Command, asked: dict[str, tuple[object, ...]], tmp_path: Path, name: str
) -> None:
    """Half the digits move what is found, and the results say which they were."""
    for precision in ("float32", "bfloat16", "float16"):
        ran = command(*asked[name], "--precision", precision, "-o", tmp_path / precision, "--json")
        assert ran.code == 0, ran.stderr
    document = "report.json" if name == "eval" else "manifest.json"
    used = {
        json.loads((tmp_path / kind / document).read_text())["arguments"]["precision"]
        for kind in ("float32", "bfloat16", "float16")
    }
    assert used == {"float32", "bfloat16", "float16"}
    if name == "eval":
        assert "in float16, logits and maps in float32" in (tmp_path / "float16" / "report.html").read_text()
        assert "logits and maps" not in (tmp_path / "float32" / "report.html").read_text()
