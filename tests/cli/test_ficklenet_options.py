"""The options of FickleNet, from training to maps and single draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from PIL import Image

from wsloc.cli import ficklenet_options
from wsloc.cli.ficklenet_options import DropMode
from wsloc.methods import ficklenet
from wsloc.networks.checkpoints import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint("ficklenet", options={"draws": 30})


def test_the_choices_and_defaults_are_those_of_the_library() -> None:
    assert [mode.value for mode in DropMode] == list(ficklenet.MODES)
    for option, name in (
        ("DrawsOption", "draws"),
        ("DropRateOption", "drop_rate"),
        ("KernelOption", "kernel"),
    ):
        assert str(ficklenet.DEFAULTS[name]) in get_args(getattr(ficklenet_options, option))[1].show_default
    for option in ("InferModeOption", "TrainModeOption"):
        words = get_args(getattr(ficklenet_options, option))[1]
        assert words.show_default == ficklenet.DEFAULTS["train_mode"]
        assert all(mode in words.help for mode in ficklenet.MODES)


def test_a_training_with_its_options(command: Run, tmp_path: Path) -> None:
    from tests.training.tiny_data import folder_per_class

    data, output = folder_per_class(tmp_path / "data", 8), tmp_path / "net.pt"
    common = ("train", "ficklenet", data, "-o", output, "--epochs", 1, "--batch-size", 4, "--workers", 0)
    ran = command(*common, "--image-size", 168, "--train-mode", "general", "--drop-rate", 0.8)
    assert ran.code == 0, ran.stderr
    found = load_checkpoint(output)
    assert found.options == {
        "kernel": 5,  # 0.22 of 21 cells
        "drop_rate": 0.8,
        "train_mode": "general",
        "infer_mode": "stochastic",
        "draws": 200,
    }
    assert found.weights["fc.weight"].shape[2:] == (5, 5)
    assert "windows" not in ran.stderr
    ran = command(*common, "--image-size", 80, "--kernel", 5, "--train-mode", "deterministic", "--overwrite")
    assert ran.code == 0, ran.stderr
    assert "windows of 5 cells a side are wide for a grid of 10 x 10: --kernel 3 is in" in ran.stderr
    ran = command(*common, "--image-size", 16, "--kernel", 4, "--overwrite")
    assert ran.code == 1
    assert "kernel is an odd number of cells, not 4" in ran.stderr
    ran = command(*common, "--image-size", 16, "--drop-rate", 1, "--overwrite")
    assert ran.code == 1
    assert "drop_rate is a share in 0-1, below 1" in ran.stderr


def maps(folder: Path) -> list[np.ndarray]:
    return [np.load(path)["maps"] for path in sorted((folder / "maps").rglob("*.npz"))]


def test_maps_are_drawn_as_asked(command: Run, checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    common = ("boxes", scenes, "--checkpoint", checkpoint, "--format", "npz", "--no-overlays", "-q")
    runs = {
        "plain": (),
        "other-batches": ("--batch-size", 1, "--workers", 0),
        "as-stored": ("--draws", 30, "--drop-rate", 0.9, "--infer-mode", "stochastic"),
        "one-draw": ("--draws", 1),
        "half": ("--drop-rate", 0.5),
        "seed": ("--random-seed", 1),
        "general": ("--infer-mode", "general"),
        "deterministic": ("--infer-mode", "deterministic"),
        "mean": ("--map", "stochastic-mean"),
    }
    found = {}
    for name, options in runs.items():
        ran = command(*common, *options, "-o", tmp_path / name)
        assert ran.code == 0, ran.stderr
        found[name] = maps(tmp_path / name)
    for name, own in found.items():
        same = name in {"plain", "other-batches", "as-stored"}
        for one, other in zip(own, found["plain"], strict=True):
            assert np.allclose(one.astype(float), other.astype(float), atol=2e-3) is same, name
    lines = [(tmp_path / name / "predictions.jsonl").read_text() for name in ("plain", "half")]
    classes = [[part.split(",")[0] for part in line.split('"class_index": ')[1:]] for line in lines]
    assert classes[0] == classes[1]


def test_single_draws_are_shown(command: Run, checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    common = ("boxes", scenes, "--checkpoint", checkpoint, "-o", output)
    ran = command(*common, "--show-draws", 3, "--class", "top5", "--no-overlays")
    assert ran.code == 0, ran.stderr
    drawn = sorted(path.relative_to(output).as_posix() for path in output.rglob("*.jpg"))
    assert drawn == [f"draws/{name}.jpg" for name in ("a/star.png", "a/tall.png", "b/fish.jpg", "key.png")]
    with Image.open(output / drawn[0]) as sheet:
        assert sheet.width > sheet.height * 3 / 5
    # Pictures of an earlier run are no images of the next one, and go with it.
    again = command("boxes", output, "--checkpoint", checkpoint, "-o", output)
    assert again.code == 1
    assert "no image found but the pictures of an earlier run" in again.stderr
    assert command(*common, "--overwrite").code == 0
    assert not (output / "draws").exists()
    assert len(list((output / "overlays").rglob("*.jpg"))) == 4


def test_other_networks_and_maps_have_no_draws(
    command: Run, checkpoint: Path, gap_checkpoint: Path, scenes: Path
) -> None:
    ran = command("boxes", scenes, "--checkpoint", gap_checkpoint, "--draws", 5)
    assert (ran.code, "the map stochastic is of FickleNet's head" in ran.stderr) == (1, True)
    ran = command("boxes", scenes, "--checkpoint", checkpoint, "--map", "gradcam", "--show-draws", 5)
    assert (ran.code, "single draws are of the map stochastic, not of gradcam" in ran.stderr) == (1, True)
    for name in ("cam", "entropy-class"):
        ran = command("boxes", scenes, "--checkpoint", checkpoint, "--map", name)
        assert (ran.code, "use --map stochastic" in ran.stderr) == (1, True)
