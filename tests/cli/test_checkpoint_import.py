from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch

import wsloc
from tests.example_localizers import picture
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.backbones import default_input
from wsloc.networks.checkpoints import load_checkpoint
from wsloc.networks.small_resnet import SmallResNet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "theirs.pth"
    torch.save(
        {"state_dict": {f"module.{key}": value for key, value in SmallResNet(3).state_dict().items()}}, path
    )
    return path


def test_a_state_dict_becomes_a_checkpoint(command: Command, weights: Path) -> None:
    ran = command("import", weights, "--backbone", "small_resnet")
    assert (ran.code, ran.stderr) == (0, "")
    path = weights.with_name("theirs.wsloc.pt")
    assert ran.stdout == f"{path}: gap on small_resnet, 3 classes\n"
    checkpoint = load_checkpoint(path)
    assert (checkpoint.method, checkpoint.task, checkpoint.classes.names) == (
        "gap",
        "single-label",
        ("0", "1", "2"),
    )
    size, mean, std = default_input("small_resnet")
    assert checkpoint.preprocessing == Preprocessing(size, "squash", mean, std)
    original = torch.load(weights, weights_only=True)["state_dict"]
    assert all(torch.equal(value, original[f"module.{key}"]) for key, value in checkpoint.weights.items())
    assert wsloc.load(path).localize(picture()).map == "cam"


def test_every_option_reaches_its_place(command: Command, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("n1\tcat\nn2\tdog\nn3\tcow\n")
    ran = command(
        *(
            "import",
            weights,
            "--backbone",
            "small_resnet",
            "--method",
            "ep",
            "--classes",
            tmp_path / "names.txt",
        ),
        *(
            "--task",
            "multi-label",
            "-o",
            tmp_path / "new/ours.pt",
            "--image-size",
            40,
            "--resize",
            "keep",
            "--half",
        ),
        "--json",
    )
    assert (ran.code, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {
        "schema_version": 1,
        "checkpoint": str(tmp_path / "new/ours.pt"),
        "classes": 3,
        "missing": [],
        "unexpected": [],
    }
    checkpoint = load_checkpoint(tmp_path / "new/ours.pt")
    assert (checkpoint.method, checkpoint.task) == ("ep", "multi-label")
    assert (checkpoint.classes.ids, checkpoint.classes.names) == (("n1", "n2", "n3"), ("cat", "dog", "cow"))
    assert (checkpoint.preprocessing.image_size, checkpoint.preprocessing.resize) == (40, "keep")
    assert checkpoint.recipe == {"imported_from": "theirs.pth"}
    assert (tmp_path / "new/ours.pt").stat().st_size < 0.6 * weights.stat().st_size
    assert wsloc.load(tmp_path / "new/ours.pt").localize(picture()).map == "entropy-class"


def test_keys_that_are_too_many_are_listed(command: Command, tmp_path: Path) -> None:
    state = SmallResNet(3).state_dict()
    torch.save({**state, "decoder.weight": torch.zeros(1)}, tmp_path / "more.pth")
    ran = command("import", tmp_path / "more.pth", "--backbone", "small_resnet")
    assert ran.code == 0
    assert ran.stderr == "1 keys unexpected (left out): decoder.weight\n"
    ran = command(
        "import", tmp_path / "more.pth", "--backbone", "small_resnet", "--overwrite", "--json", "-q"
    )
    assert (ran.code, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["unexpected"] == ["decoder.weight"]


def test_what_is_there_is_kept(command: Command, weights: Path) -> None:
    target = weights.with_name("theirs.wsloc.pt")
    target.write_text("mine")
    ran = command("import", weights, "--backbone", "small_resnet")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == f"wsloc: error: {target} is there already: give --overwrite or another --output\n"
    assert target.read_text() == "mine"
    assert command("import", weights, "--backbone", "small_resnet", "--overwrite").code == 0
    assert load_checkpoint(target).backbone == "small_resnet"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (
            ("--backbone", "small_resnet", "--method", "magic"),
            2,
            "unknown method 'magic': choose one of gap, ep",
        ),
        (
            ("--backbone", "small_resnet", "--task", "magic"),
            2,
            "unknown task 'magic': choose one of single-label",
        ),
        (("--backbone", "resnet18"), 1, "theirs.pth does not fit resnet18"),
        (("--backbone", "magic"), 1, "unknown backbone 'magic'"),
        (("--backbone", "small_resnet", "--classes", "gone.txt"), 1, "cannot read the class names gone.txt"),
        (("--backbone", "small_resnet", "-o", "{weights}/x.pt"), 1, "cannot write"),
        (
            ("--backbone", "small_resnet", "--image-size", "4"),
            1,
            "small_resnet takes inputs of at least 8 pixels",
        ),
    ],
)
def test_what_does_not_fit(
    command: Command, weights: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    ran = command("import", weights, *(option.format(weights=weights) for option in options))
    assert (ran.code, ran.stdout, ran.stderr.count("\n")) == (code, "", 1)
    assert ran.stderr.startswith("wsloc: error: ")
    assert words in ran.stderr
    assert [path.name for path in weights.parent.iterdir()] == ["theirs.pth"]


def test_a_head_that_the_method_cannot_carry(command: Command, tmp_path: Path) -> None:
    from wsloc.networks.backbones import build_backbone

    torch.save(build_backbone("squeezenet1_1", classes=2).model.state_dict(), tmp_path / "squeeze.pth")
    ran = command("import", tmp_path / "squeeze.pth", "--backbone", "squeezenet1_1", "--method", "ep")
    assert ran.code == 1
    assert "squeezenet1_1 (SqueezeNet) has no pooled linear head" in ran.stderr
    assert command("import", tmp_path / "squeeze.pth", "--backbone", "squeezenet1_1").code == 0


@pytest.mark.parametrize("method", ["ficklenet", "bew"])
def test_a_method_with_layers_of_its_own_is_trained_instead(
    command: Command, weights: Path, method: str
) -> None:
    ran = command("import", weights, "--backbone", "small_resnet", "--method", method)
    assert ran.code == 2
    assert f"`wsloc train {method} DATA --backbone small_resnet --init {weights}`" in ran.stderr
    assert not weights.with_name("theirs.wsloc.pt").exists()
