"""The options of GAIN, from training to the maps of its checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Outcome
from tests.training.tiny_data import folder_per_class
from wsloc.cli import gain_options
from wsloc.methods.gain import DEFAULTS, Guidance
from wsloc.networks.checkpoints import load_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., Outcome]
QUICK = ("--epochs", 2, "--batch-size", 4, "--image-size", 32, "--workers", 0, "--device", "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_per_class(tmp_path_factory.mktemp("data") / "scenes", 6)


@pytest.fixture(scope="module")
def masks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mask for every picture: its class, from 1, in the middle."""
    folder = tmp_path_factory.mktemp("masks")
    for value, own in enumerate(sorted(path for path in data.iterdir() if path.is_dir()), 1):
        for path in own.iterdir():
            with Image.open(path) as picture:
                mask = np.zeros(picture.size[::-1], np.uint8)
            height, width = mask.shape
            mask[height // 4 : -height // 4, width // 4 : -width // 4] = value
            (folder / own.name).mkdir(exist_ok=True)
            Image.fromarray(mask).save(folder / own.name / f"{path.stem}.png")
    return folder


def shown_default(option: Any) -> str:
    return str(get_args(option)[1].show_default)


def test_the_defaults_in_the_help_are_those_of_the_library() -> None:
    numbers = {
        "mining_weight": gain_options.MiningWeightOption,
        "mining_start": gain_options.MiningStartOption,
        "mask_scale": gain_options.MaskScaleOption,
        "mask_threshold": gain_options.MaskThresholdOption,
        "extra_weight": gain_options.ExtraWeightOption,
    }
    for name, option in numbers.items():
        assert float(shown_default(option)) == DEFAULTS[name], name
    words = {
        "mining_score": gain_options.MiningScoreOption,
        "attention_norm": gain_options.AttentionNormOption,
        "mask_fill": gain_options.MaskFillOption,
    }
    for name, option in words.items():
        assert shown_default(option) == DEFAULTS[name], name
    assert (shown_default(gain_options.FreezeMiningOption) == "freeze") == DEFAULTS["freeze_mining_stream"]
    assert (shown_default(gain_options.SecondOrderOption) == "second order") == DEFAULTS["second_order"]


def test_every_option_of_the_method_can_be_given(command: Run) -> None:
    shown = command("train", "--help").stdout
    for entry in fields(Guidance):
        assert f"--{entry.name.replace('_', '-')}" in shown


def test_a_training_with_masks_logs_its_losses_and_draws_strips(
    command: Run, data: Path, masks: Path, tmp_path: Path
) -> None:
    output = tmp_path / "net.pt"
    ran = command(
        *(
            "train",
            "gain",
            data,
            "-o",
            output,
            "--masks",
            masks,
            "--extra-fraction",
            0.5,
            "--mask-fill",
            "mean",
        ),
        *("--extra-per-step", 2, "--watch", 3, *QUICK),
    )
    assert ran.code == 0, ran.stderr
    for name in ("L_cl", "L_am", "L_p", "masked_share", "mining_score"):
        assert f"{name} " in ran.stderr
    last = json.loads((tmp_path / "net.metrics.jsonl").read_text().splitlines()[-1])
    weights = float(DEFAULTS["mining_weight"]), float(DEFAULTS["extra_weight"])
    total = last["L_cl"] + weights[0] * last["L_am"] + weights[1] * (last["L_p"] + last["L_bbox"])
    assert last["train_loss"] == pytest.approx(total, rel=1e-4)
    strips = sorted(path.name for path in (tmp_path / "net.attention").iterdir())
    assert strips == ["epoch-0.jpg", "epoch-1.jpg", "epoch-2.jpg"]
    kept = load_checkpoint(output)
    assert kept.options == {**DEFAULTS, "mask_fill": "mean"}
    samples = sum(1 for path in data.rglob("*") if path.is_file())
    assert kept.data["extra_masks"] == samples // 2


@pytest.mark.parametrize("layer", [(), ("--layer", "layer2")], ids=str)
def test_a_checkpoint_is_explained_by_grad_cam(
    command: Run, data: Path, tmp_path: Path, layer: tuple[str, ...]
) -> None:
    output = tmp_path / "net.pt"
    assert command("train", "gain", data, "-o", output, "--watch", 0, *layer, *QUICK).code == 0
    assert not (tmp_path / "net.attention").exists()
    ran = command("boxes", data, "--checkpoint", output, "-o", tmp_path / "found", "--format", "npz")
    assert ran.code == 0, ran.stderr
    assert "gradcam boxes" in ran.stdout
    line = json.loads((tmp_path / "found" / "predictions.jsonl").read_text().splitlines()[0])
    assert line["map"] == "gradcam"
    report = command("eval", data, "--checkpoint", output, "--annotations", data, "-o", tmp_path / "report")
    assert report.code == 0, report.stderr


def test_extra_labels_go_with_a_method_that_uses_them(
    command: Run, data: Path, masks: Path, tmp_path: Path
) -> None:
    for arguments, message in (
        (("gap", "--masks", masks), "gap makes no use of masks or boxes: train gain"),
        (("gain", "--extra-fraction", 0.1), "--extra-fraction go with --masks or --boxes"),
        (("gain", "--masks", tmp_path / "none"), "none is no folder"),
        (("gain", "--mask-fill", "black"), "unknown mask_fill 'black'"),
        (("gain", "--layer", "layer9"), "no layer 'layer9'"),
        (("ep", "--mining-weight", 1), "ep has no option 'mining_weight'"),
    ):
        method, *rest = arguments
        ran = command("train", method, data, "-o", tmp_path / "net.pt", *rest, *QUICK)
        assert ran.code in (1, 2)
        assert message in ran.stderr.replace("\n", " ")
        assert len(ran.stderr.strip().splitlines()) == 1


def test_a_resumed_training_must_have_the_same_extra_labels(
    command: Run, data: Path, masks: Path, tmp_path: Path
) -> None:
    output = tmp_path / "net.pt"
    given = ("train", "gain", data, "-o", output, "--watch", 0, *QUICK)
    assert command(*given, "--masks", masks).code == 0
    again = command(*given, "--resume")
    assert again.code == 1
    assert "extra masks" in again.stderr
    assert command(*given, "--masks", masks, "--resume").code == 0
