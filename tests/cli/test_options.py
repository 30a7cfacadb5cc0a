from __future__ import annotations

import inspect
import os
from dataclasses import fields
from typing import TYPE_CHECKING, get_args

import pytest
from typer.main import get_command

from wsloc.cli import options
from wsloc.cli.app import app
from wsloc.cli.boxes import boxes
from wsloc.errors import UsageError
from wsloc.inputs.preprocessing import RESIZES
from wsloc.methods import LAYERS, MAPS
from wsloc.request import BOX_RULES, Request
from wsloc.runner import ALL_FORMATS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # it is a group


def test_the_choices_are_those_of_the_library() -> None:
    """They are spelled twice, so that `--help` need not load torch."""
    assert [name.value for name in options.MapName] == list(MAPS)
    assert [rule.value for rule in options.BoxRule] == list(BOX_RULES)
    assert [way.value for way in options.Resize] == list(RESIZES)
    assert [layer.value for layer in options.LayerName] == list(LAYERS)


def test_the_choices_are_named_in_the_help() -> None:
    for option, names in (
        (options.MapOption, MAPS),
        (options.BoxOption, BOX_RULES),
        (options.ResizeOption, RESIZES),
        (options.PrecisionOption, options.Precision),
        (options.DeviceOption, ("auto", "cpu", "cuda", "mps")),
        (inspect.signature(boxes, eval_str=True).parameters["formats"].annotation, ALL_FORMATS),
    ):
        words = get_args(option)[1].help.replace(",", " ").replace(":", " ").replace(".", " ").split()
        assert set(names) <= set(words)


def test_the_defaults_are_those_of_the_library() -> None:
    parameters = inspect.signature(boxes).parameters
    defaults = {field.name: field.default for field in (*fields(Request), *fields(RunOptions))}
    for name in (
        "mass",
        "map_threshold",
        "boxes_per_class",
        "min_probability",
        "box",
        "batch_size",
        "overlays",
    ):
        assert parameters[name].default == defaults[name], name
    assert (parameters["map_name"].default, parameters["formats"].default) == (None, "jsonl")


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4), (64, 4)])
def test_half_of_the_processors_decode(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(processors)), raising=False)
    assert options.default_workers() == workers
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert options.default_workers() == workers


@pytest.mark.parametrize(("here", "workers"), [(1, 4), (2, 4), (4, 2), (16, 1)])
def test_processes_of_a_run_share_the_processors(
    monkeypatch: pytest.MonkeyPatch, here: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(16)), raising=False)
    place = {"RANK": "0", "WORLD_SIZE": "32", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in {**place, "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": str(here)}.items():
        monkeypatch.setenv(name, value)
    assert options.default_workers() == workers


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_option_has_its_words(command: Callable[..., Outcome], name: str) -> None:
    """In the module, and in `--help` without a cut: the longest word fits into eighty columns."""
    described = COMMANDS[name]
    assert described.help
    for parameter in described.params:
        assert parameter.help, parameter.name
        assert parameter.help.endswith((".", ")")), parameter.help
    ran = command(name, "--help")
    assert ran.code == 0
    for parameter in described.params:
        assert all(spelling in ran.stdout for spelling in parameter.opts if spelling.startswith("-"))
    assert "…" not in ran.stdout


def test_a_layer_goes_with_entropy() -> None:
    entropy, cam = options.MapName.entropy, options.MapName.cam
    assert options.layer_map(None, None) is None
    assert options.layer_map(cam, None) == "cam"
    assert [options.layer_map(entropy, layer) for layer in options.LayerName] == [*LAYERS.values()]
    for other in (None, cam):
        with pytest.raises(UsageError, match="--layer goes with --map entropy"):
            options.layer_map(other, options.LayerName.bew1)


def test_scales_are_numbers() -> None:
    assert options.scale_list("1,1.5") == (1.0, 1.5)
    for text in ("", "1,", "big"):
        with pytest.raises(UsageError, match="--scales is a list of numbers"):
            options.scale_list(text)


def test_classes_are_parted_by_commas() -> None:
    assert options.listed_classes(None) == ()
    assert options.listed_classes(" cat, potted plant,cat,") == ("cat", "potted plant")
    with pytest.raises(UsageError, match="--classes ' ,' names no class"):
        options.listed_classes(" ,")
