"""The options of RIB, from the command line to the maps."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set
from tests.training.tiny_data import labels_csv
from wsloc.cli import rib_options
from wsloc.cli.map_options import MapName
from wsloc.cli.rib_options import RIB_OPTIONS, SETTINGS, StepSum, asked_fine_tuning
from wsloc.errors import UnsupportedError, UsageError
from wsloc.methods.rib import SUMS, FineTuning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Run = Callable[..., Outcome]

QUICK = ("--map", "rib", "--rib-steps", 2, "--scales", "1", "--no-flip", "--rib-learning-rate", 1e-3)


def test_the_choices_and_defaults_are_those_of_the_library() -> None:
    assert [way.value for way in StepSum] == list(SUMS)
    own = FineTuning()
    assert {*SETTINGS, "scales", "flip", "pool"} == {field.name for field in fields(FineTuning)}
    for name in SETTINGS:
        words = get_args(getattr(rib_options, f"Rib{name.title().replace('_', '')}Option"))[1]
        assert words.show_default == str(getattr(own, name)), name


def test_what_is_not_given_keeps_its_default() -> None:
    assert asked_fine_tuning(dict.fromkeys(RIB_OPTIONS)) == FineTuning()
    none: dict[str, Any] = {**dict.fromkeys(RIB_OPTIONS), "map_name": MapName.rib}
    asked = asked_fine_tuning({**none, "rib_steps": 0, "rib_sum": StepSum.raw, "rib_tau": 0.3})
    assert asked == FineTuning(steps=0, sum="raw", tau=0.3)
    with pytest.raises(UnsupportedError, match="RIB's learning_rate is a number from 0, not nan"):
        asked_fine_tuning({**none, "rib_learning_rate": float("nan")})


def test_other_images_are_asked_for_with_their_data_set(tmp_path: Path) -> None:
    none: dict[str, Any] = {**dict.fromkeys(RIB_OPTIONS), "map_name": None, "compare": "cam, rib"}
    with pytest.raises(UsageError, match="--rib-others says how many of --rib-images: name the data set"):
        asked_fine_tuning({**none, "rib_others": 3})
    assert asked_fine_tuning({**none, "rib_others": 0}).others == 0
    assert asked_fine_tuning({**none, "rib_others": 3, "rib_images": tmp_path}).others == 3


def test_with_another_map_they_are_refused() -> None:
    for maps in ({}, {"map_name": MapName.cam}, {"compare": "cam,gradcam"}):
        for option in RIB_OPTIONS:
            words = f"--{option.replace('_', '-')} goes with --map rib: leave it out"
            with pytest.raises(UsageError, match=words):
                asked_fine_tuning({**dict.fromkeys(RIB_OPTIONS), option: 0, **maps})


def maps(folder: Path) -> list[np.ndarray]:
    return [np.load(path)["maps"].astype(float) for path in sorted((folder / "maps").rglob("*.npz"))]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return labels_csv(tmp_path_factory.mktemp("others"), 9)


def test_maps_are_made_as_asked(
    command: Run, gap_checkpoint: Path, scenes: Path, tmp_path: Path, others: Path
) -> None:
    common = ("boxes", scenes / "a", "--checkpoint", gap_checkpoint, "--format", "npz", "--no-overlays", "-q")
    runs: dict[str, tuple[object, ...]] = {
        "plain": QUICK,
        "other-batches": (*QUICK, "--batch-size", 1, "--workers", 0),
        "side-by-side": (*QUICK, "--rib-side-by-side", 3),
        "rate": (*QUICK, "--rib-classifier-learning-rate", 1),
        "tau": (*QUICK, "--rib-tau", 0.9),
        "views": (*QUICK, "--scales", "1,0.5", "--flip"),
        "raw": (*QUICK, "--rib-sum", "raw", "--rib-learning-rate", 1e-2),
        "stopped": (*QUICK, "--rib-stop-logit", -1e9),
        "cam": ("--map", "cam"),
        "no-steps": ("--map", "rib", "--rib-steps", 0),
        "cam-views": ("--map", "cam", "--scales", "1,0.5,1.5,2", "--flip"),
        "others": (*QUICK, "--rib-images", others, "--rib-others", 3),
        "no-others": (*QUICK, "--rib-images", others, "--rib-others", 0),
    }
    found = {}
    for name, options in runs.items():
        ran = command(*common, *options, "-o", tmp_path / name)
        assert ran.code == 0, ran.stderr
        found[name] = maps(tmp_path / name)
    same = [
        {"plain", "other-batches", "side-by-side", "no-others"},
        {"stopped", "cam"},
        {"no-steps", "cam-views"},
    ]
    for one, own in found.items():
        for other, theirs in found.items():
            alike = one == other or any({one, other} <= group for group in same)
            close = all(np.allclose(*pair, atol=2e-3) for pair in zip(own, theirs, strict=True))
            assert close is alike, (one, other)


def test_eval_scores_rib_beside_cam_and_says_how(command: Run, gap_checkpoint: Path, tmp_path: Path) -> None:
    """Without steps and with one view RIB is CAM: the figures are the same, guesses' and labels' alike."""
    data = write_data_set(tmp_path / "data", count=2)  # of a star and a donut
    common = ("eval", data / "images", "--annotations", data, "--checkpoint", gap_checkpoint)
    ran = command(
        *common, "--compare", "cam,rib", *QUICK[2:], "--rib-steps", 0, "-o", tmp_path / "none", "--json"
    )
    assert ran.code == 0, ran.stderr
    runs = json.loads(ran.stdout)["runs"]
    assert [run["map"] for run in runs] == ["cam", "rib"]
    assert runs[0]["metrics"] == runs[1]["metrics"]
    ran = command(*common, *QUICK, "-o", tmp_path / "two", "--json")
    assert ran.code == 0, ran.stderr
    report = (tmp_path / "two" / "report.html").read_text()
    assert "fine-tuned on each image for 2 steps (SGD, learning rate 0.001 for its last two stages" in report


def test_seeds_of_rib(command: Run, gap_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    """Without steps, with one view, they are those of CAM; with steps they are not."""
    common = (
        "seeds",
        scenes / "a",
        "--checkpoint",
        gap_checkpoint,
        "--class",
        "star",
        "--class",
        "key",
        "-q",
    )
    runs: dict[str, tuple[object, ...]] = {
        "cam": ("--map", "cam"),
        "none": (*QUICK, "--rib-steps", 0),
        "two": (*QUICK, "--rib-learning-rate", 1e-2),
    }
    found = {}
    for name, options in runs.items():
        ran = command(*common, *options, "-o", tmp_path / name)
        assert ran.code == 0, ran.stderr
        found[name] = [path.read_bytes() for path in sorted((tmp_path / name / "png").rglob("*.png"))]
    assert found["none"] == found["cam"]
    assert found["two"] != found["cam"]
    assert len(found["two"]) == 2


def test_what_cannot_be_fine_tuned_or_joined_is_refused(
    command: Run, make_checkpoint: Callable[..., Path], gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    common = ("boxes", scenes, "-o", tmp_path / "out")
    ran = command(*common, "--model", "densenet121", "--weights", "none", "--map", "rib")
    assert (ran.code, "which are its last two stages is not known" in ran.stderr) == (1, True)
    ran = command(*common, "--checkpoint", make_checkpoint("bew"), "--map", "rib")
    assert (ran.code, "has BEW layers" in ran.stderr) == (1, True)
    ran = command(
        *common, "--checkpoint", gap_checkpoint, "--map", "rib", "--rib-images", tmp_path / "no.csv"
    )
    assert (ran.code, "no.csv is not there" in ran.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
