from __future__ import annotations

import errno
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.predictions import read_predictions
from wsloc.records import Localization
from wsloc.running.plans import logged_images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


@pytest.fixture
def places(ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> dict[str, Path]:
    """What arguments may name in braces."""
    (tmp_path / "empty").mkdir()
    return {"ep": ep_checkpoint, "scenes": scenes, "empty": tmp_path / "empty", "out": tmp_path / "out"}


def test_one_bad_image(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    """It is named, the others are done, and the exit code tells; errors are said even if quiet."""
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / "bad [red] :star:.jpg").write_bytes(b"no image")
    ran = command(
        "boxes", images, "--checkpoint", ep_checkpoint, "-o", tmp_path / "out", "--json", "--workers", 2
    )
    assert ran.code == 3
    assert re.fullmatch(r"failed: .*/bad \[red\] :star:\.jpg: is not an image [^\n]*\n", ran.stderr)
    content = json.loads(ran.stdout)
    assert (content["images"], content["failed"]) == (5, 1)
    assert content["failures"][0]["image"] == "bad [red] :star:.jpg"
    assert (
        sum(isinstance(line, Localization) for line in read_predictions(tmp_path / "out/predictions.jsonl"))
        == 4
    )
    quiet = command(
        "boxes", images / "bad [red] :star:.jpg", "--checkpoint", ep_checkpoint, "-o", tmp_path, "-q"
    )
    assert quiet.code == 3  # all of them, too
    assert quiet.stdout == ""
    assert quiet.stderr == ran.stderr


def test_many_bad_images_are_counted(command: Command, ep_checkpoint: Path, tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"{number:02}.png").touch()
    ran = command("boxes", tmp_path, "--checkpoint", ep_checkpoint, "-o", tmp_path / "out")
    assert ran.code == 3
    lines = ran.stderr.splitlines()
    assert len(lines) == 21
    assert lines[0].endswith("00.png: is empty")
    assert lines[-1] == f"failed: 3 more, see {tmp_path}/out/manifest.json"
    assert ran.stdout.startswith("0 of 23 images in ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name one network: either --checkpoint FILE (or demo) or --model NAME"),
        (("--checkpoint", "{ep}", "--model", "resnet18"), "name one network"),
        (("--checkpoint", "{ep}", "--weights", "none"), "--weights goes with --model"),
        (
            ("--model", "best.pt"),
            "--model takes a torchvision classifier's name: give best.pt with --checkpoint",
        ),
        (("--checkpoint", "{ep}", "--labels", "l.csv", "--class", "star"), "--labels and --class exclude"),
        (("--checkpoint", "{ep}", "--mass", "0"), "--mass is a fraction above 0"),
        (
            ("--checkpoint", "{ep}", "--format", "csv,tfrecord"),
            "unknown format 'tfrecord': choose from jsonl, csv",
        ),
    ],
)
def test_wrong_usage(
    command: Command, places: dict[str, Path], arguments: tuple[str, ...], words: str
) -> None:
    filled = [argument.format(**places) for argument in arguments]
    ran = command("boxes", places["scenes"], "-o", places["out"], *filled)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"wsloc: error: {words}")
    assert ran.stderr.count("\n") == 1
    assert not (places["out"]).exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--colour", "red"),
        ("--map", "heat"),
        ("--box", "round"),
        ("--mass", "1.1"),
        ("--map-threshold", "-0.1"),
        ("--min-probability", "x"),
        ("--boxes-per-class", "0"),
        ("--batch-size", "0"),
        ("--workers", "-1"),
        ("--image-size", "0"),
        ("--resize", "crop"),
        ("--precision", "half"),
    ],
)
def test_options_that_typer_refuses(command: Command, arguments: tuple[str, ...]) -> None:
    ran = command("boxes", "x.jpg", "--checkpoint", "x.pt", *arguments)
    assert (ran.code, ran.stdout) == (2, "")
    assert arguments[0] in ran.stderr
    assert command("boxes", "--checkpoint", "x.pt").code == 2  # no images


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{scenes}", "--checkpoint", "gone.pt"), "gone.pt is not there"),
        (
            ("gone.jpg", "--checkpoint", "{ep}"),
            "gone.jpg is not there: name an image, a folder, or @list.txt",
        ),
        (("{empty}", "--checkpoint", "{ep}"), "no image found in "),
        (("{scenes}", "--checkpoint", "{scenes}/key.png"), "key.png cannot be read"),
        (("{scenes}", "--model", "resnet5O"), "unknown backbone 'resnet5O': did you mean"),
        (("{scenes}", "--checkpoint", "{ep}", "--class", "starr"), "did you mean star"),
        (("{scenes}", "--checkpoint", "{ep}", "--class", "top1", "--class", "star"), "top1 stands alone"),
        (
            ("{scenes}", "--checkpoint", "{ep}", "--class", "star", "--map", "entropy"),
            "the map entropy carries no",
        ),
        (("{scenes}", "--checkpoint", "{ep}", "--labels", "gone.csv"), "gone.csv: no such labels file"),
        (("{scenes}", "--checkpoint", "{ep}", "--device", "abacus"), "unknown device 'abacus'"),
        (
            ("{scenes}", "--checkpoint", "{ep}", "--image-size", "4"),
            "small_resnet takes inputs of at least 8 pixels",
        ),
        (
            ("{scenes}", "--checkpoint", "{ep}", "--class-names", "{scenes}/key.png"),
            "cannot read the class names",
        ),
    ],
)
def test_expected_failures(
    command: Command, places: dict[str, Path], arguments: tuple[str, ...], words: str
) -> None:
    filled = [argument.format(**places) for argument in arguments]
    ran = command("boxes", *filled, "-o", places["out"])
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr.startswith("wsloc: error: ")
    assert words in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert not (places["out"]).exists()


def test_labels_for_a_map_without_classes(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("image,label\nkey.png,key\n")
    options = ("--labels", tmp_path / "labels.csv", "--map", "entropy-top5", "-o", tmp_path / "out")
    ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, *options)
    assert ran.code == 1
    assert "the map entropy-top5 carries no class" in ran.stderr


def test_an_output_that_is_a_file(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    for place in ("out", "out/below"):
        ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path / place)
        assert (ran.code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
        assert ran.stderr.startswith("wsloc: error: ")
        assert str(tmp_path / "out") in ran.stderr
    assert (tmp_path / "out").read_text() == "mine"


def test_a_full_disk(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _picture: object) -> None:
        raise OutputError(f"cannot write {path}: No space left on device") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("wsloc.runner.save_overlay", refuse)
    ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path)
    assert (ran.code, ran.stdout) == (1, "")
    assert re.fullmatch(r"wsloc: error: cannot write .*\.jpg: No space left on device\n", ran.stderr)
    assert len(list(logged_images(tmp_path))) == 4
