from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, get_args

import pytest
from typer.main import get_command

from wsloc.cli import map_options, options, running_options
from wsloc.cli.app import app
from wsloc.cli.boxes import boxes
from wsloc.inputs.preprocessing import RESIZES
from wsloc.methods import MAPS
from wsloc.networks.precision import PRECISIONS
from wsloc.request import BOX_RULES, Request
from wsloc.runner import ALL_FORMATS, RunOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome

COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # it is a group


def test_the_choices_are_those_of_the_library() -> None:
    """They are spelled twice, so that `--help` need not load torch."""
    assert [way.value for way in options.Resize] == list(RESIZES)


def test_the_choices_are_named_in_the_help() -> None:
    for option, names in (
        (map_options.MapOption, MAPS),
        (map_options.BoxOption, BOX_RULES),
        (options.ResizeOption, RESIZES),
        (running_options.PrecisionOption, ("auto", *PRECISIONS)),
        (running_options.DeviceOption, ("auto", "cpu", "cuda", "mps")),
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
