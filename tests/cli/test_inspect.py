from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tests.conftest import CLASSES
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.checkpoints import load_checkpoint, save_checkpoint
from wsloc.networks.small_resnet import SmallResNet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


@pytest.fixture
def described(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint(
        preprocessing=Preprocessing(40, "keep"),
        task="multi-label",
        recipe={"epochs": 12, "learning_rate": 0.1, "schedule": {"warmup": 0.5}, "stages": [1, 2]},
        data={"images": 400, "source": "scenes [red] :star:"},
    )


def test_json_has_everything(command: Command, described: Path) -> None:
    ran = command("inspect", described, "--json")
    assert (ran.code, ran.stderr) == (0, "")
    content = json.loads(ran.stdout)
    assert content["schema_version"] == 1
    assert content["file"] == str(described)
    assert content["bytes"] == described.stat().st_size
    assert (content["method"], content["backbone"], content["task"]) == ("ep", "small_resnet", "multi-label")
    assert content["stride"] == 8
    model = SmallResNet(len(CLASSES))
    assert content["parameters"] == sum(parameter.numel() for parameter in model.parameters())
    assert content["classes"] == 6
    assert content["class_ids"] == list(CLASSES.ids)
    assert content["class_names"] == list(CLASSES.names)
    assert content["preprocessing"]["image_size"] == 40
    assert content["preprocessing"]["resize"] == "keep"
    assert content["recipe"]["schedule"] == {"warmup": 0.5}
    assert content["data"]["images"] == 400


def test_people_get_a_table(command: Command, described: Path) -> None:
    ran = command("inspect", described)
    assert (ran.code, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    for words in (
        "small_resnet",
        "star, donut, fish, key, flower, moon",
        "recipe: epochs",
        "scenes [red] :star:",
        "0.1",
    ):
        assert words in ran.stdout


def test_long_lists_are_cut(command: Command, make_checkpoint: Callable[..., Path]) -> None:
    from wsloc.records import Classes

    names = tuple(f"class{number}" for number in range(30))
    ran = command("inspect", make_checkpoint(classes=Classes(names, names)))
    assert "class9, ... (30)" in ran.stdout
    assert "class10" not in ran.stdout


def test_words_of_a_stranger_do_not_reach_the_terminal(
    command: Command, make_checkpoint: Callable[..., Path]
) -> None:
    from wsloc.records import Classes

    names = ("\x1b[2J\x1b]0;owned\x07", "two\nlines")
    path = make_checkpoint(classes=Classes(names, names), recipe={"\x1bkey": "\x9bvalue"}, task="multi-label")
    ran = command("inspect", path)
    assert ran.code == 0
    assert all(sign == "\n" or sign.isprintable() for sign in ran.stdout)
    assert r"\x1b[2J\x1b]0;owned\x07, two\nlines" in ran.stdout
    assert json.loads(command("inspect", path, "--json").stdout)["class_names"] == list(names)


def test_an_unknown_backbone_is_described_all_the_same(
    command: Command, ep_checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint = replace(load_checkpoint(ep_checkpoint), backbone="resnet_of_tomorrow")
    save_checkpoint(checkpoint, tmp_path / "new.pt")
    ran = command("inspect", tmp_path / "new.pt", "--json")
    assert (ran.code, ran.stderr.count("\n")) == (0, 1)
    assert ran.stderr.startswith("new.pt cannot be used here: unknown backbone 'resnet_of_tomorrow'")
    content = json.loads(ran.stdout)
    assert (content["backbone"], content["stride"], content["classes"]) == ("resnet_of_tomorrow", None, 6)
    assert "resnet_of_tomorrow" in command("inspect", tmp_path / "new.pt").stdout


def test_the_demo_is_known_by_name(command: Command) -> None:
    assert (Path(__file__).parent.parent.parent / "assets/demo-ep.pt").is_file()
    content = json.loads(command("inspect", "demo", "--json").stdout)
    assert (content["method"], content["classes"]) == ("ep", 8)


def test_what_is_no_checkpoint(command: Command, tmp_path: Path) -> None:
    torch.save(SmallResNet(2).state_dict(), tmp_path / "weights.pth")
    (tmp_path / "empty.pt").touch()
    for name, words in (
        ("gone.pt", "is not there"),
        ("weights.pth", "is no wsloc checkpoint: bring it in with `wsloc import"),
        ("empty.pt", "it is empty"),
        ("", "is a folder"),
    ):
        ran = command("inspect", tmp_path / name)
        assert (ran.code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
        assert ran.stderr.startswith("wsloc: error: ")
        assert words in ran.stderr
    assert command("inspect").code == 2
