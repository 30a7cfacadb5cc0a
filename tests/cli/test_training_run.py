"""What the options of `wsloc train` come to."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.cli.train import train
from wsloc.cli.training_run import (
    OF_THE_METHOD,
    OF_THE_PICTURES,
    OF_THE_RECIPE,
    named_recipe,
    only_given,
    side_range,
)
from wsloc.errors import UsageError
from wsloc.inputs.training_set import Augmentation
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.training.recipes import RECIPES
from wsloc.training.records import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., Any]


def test_the_names_are_those_of_the_command_and_the_library() -> None:
    asked = set(inspect.signature(train).parameters)
    assert {*OF_THE_RECIPE, *OF_THE_PICTURES, *OF_THE_METHOD} <= asked
    others = {"augmentation", "random_seed", "precision"}
    assert {*OF_THE_RECIPE} == {field.name for field in fields(Recipe)} - others
    assert {*OF_THE_PICTURES} == {field.name for field in fields(Augmentation)}


def test_only_what_is_given_changes_a_recipe() -> None:
    given = {"epochs": None, "ema": 0.0, "nesterov": False, "warmup": 1.0}
    assert only_given(given, ("epochs", "ema", "nesterov")) == {"ema": 0.0, "nesterov": False}


def test_recipes_go_by_name() -> None:
    assert named_recipe("voc") is RECIPES["voc"]
    with pytest.raises(UsageError, match="unknown recipe 'coco': choose one of small, imagenet"):
        named_recipe("coco")


def test_a_range_of_sides() -> None:
    assert side_range("256-480") == (256, 480)
    for text in ("256", "256-", "a-b", "-5-9", "256:480"):
        with pytest.raises(UsageError, match="--shorter-side is a range"):
            side_range(text)


def test_a_recipe_with_changes_and_options_of_the_method(command: Run, tmp_path: Path) -> None:
    from tests.training.tiny_data import folder_per_class

    data = folder_per_class(tmp_path / "data", 8)
    output = tmp_path / "net.pt"
    ran = command(
        *("train", "bew", data, "-o", output, "--recipe", "imagenet", "--backbone", "small_resnet"),
        *("--epochs", 1, "--batch-size", 4, "--image-size", 16, "--shorter-side", "18-24", "--workers", 0),
        *("--device", "cpu", "--layers", 1, "--ramp", 0.5, "--background-logit", "--no-flip"),
    )
    assert ran.code == 0, ran.stderr
    found = load_checkpoint(output)
    assert found.options == {
        "detach_weights": False,
        "background_logit": True,
        "ramp": 0.5,
        "layers": 1,
    }
    assert (found.recipe["schedule"], found.recipe["nesterov"], found.recipe["batch_size"]) == (
        "step",
        False,
        4,
    )
    assert found.recipe["augmentation"] == {
        "smallest_crop": 0.35,
        "flip": False,
        "shorter_side": [18, 24],
    }
    ran = command("train", "gap", data, "-o", tmp_path / "other.pt", "--ramp", 0.5)
    assert ran.code == 1
    assert "gap has no option 'ramp'" in ran.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--decay-every", 5), "--decay-every goes with --schedule step: leave it out"),
        (("--decay-factor", 0.5, "--schedule", "constant"), "--decay-factor goes with --schedule step"),
        (("--momentum", 0.5, "--optimizer", "adam"), "--momentum goes with --optimizer sgd"),
        (("--nesterov", "--optimizer", "adamw"), "--nesterov goes with --optimizer sgd"),
        (
            ("--schedule", "step", "--decay-every", 5, "--decay-steps", 9),
            "--decay-every goes with epochs, where --decay-steps is 0",
        ),
        (
            ("--smallest-crop", 0.5, "--shorter-side", "24-30"),
            "--smallest-crop goes with a crop of random size, not with --shorter-side",
        ),
        (("--boxes-as-masks",), "--boxes-as-masks goes with --boxes: leave it out"),
        (("--recipe", "imagenet", "--no-nesterov", "--decay-factor", 0.2), None),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    command: Run, tmp_path: Path, options: tuple[object, ...], words: str | None
) -> None:
    ran = command("train", "gap", tmp_path / "gone", "-o", tmp_path / "net.pt", *options)
    assert ran.code == (1 if words is None else 2)
    assert words is None or words in ran.stderr
