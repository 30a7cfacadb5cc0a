from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

import wsloc
from wsloc.inputs.images import find_images
from wsloc.networks.small_resnet import SmallResNet
from wsloc.outputs.predictions import read_predictions
from wsloc.records import Failure, Localization
from wsloc.running.stages import FINE_TUNING, LABELLING, SCORES, STAGES, WAIT_FOR_SCORES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


def predictions(folder: Path) -> list[Localization]:
    records = list(read_predictions(folder / "predictions.jsonl"))
    assert not any(isinstance(record, Failure) for record in records)
    return [record for record in records if isinstance(record, Localization)]


def test_the_results_of_python_are_the_results_of_the_command(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """To the bit, for the same batches; images in sub-folders are named by their path."""
    ran = command(
        "boxes", scenes, "--checkpoint", ep_checkpoint, "--class", "top5", "-o", tmp_path, "--workers", 0
    )
    assert (ran.code, ran.stderr) == (0, "")
    files = find_images([scenes])
    direct = wsloc.load(ep_checkpoint).localize([file.path for file in files], classes="top5")
    written = predictions(tmp_path)
    assert [record.image for record in written] == [file.image for file in files]
    assert len(written) == 4
    for one, other in zip(written, direct, strict=True):
        assert one.predictions == other.predictions
        assert len(one.predictions) == 5
        assert (one.width, one.height, one.map) == (other.width, other.height, other.map)


def test_every_option_reaches_its_place(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "map": "entropy-class",
        "box": "threshold",
        "map_threshold": 0.5,
        "boxes_per_class": 2,
        "min_probability": 0.05,
    }
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    ran = command(
        *("boxes", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path, "--workers", 0, "--no-overlays"),
        *(
            "--class",
            "star",
            "--class",
            "5",
            "--class",
            "n03",
            "--image-size",
            64,
            "--resize",
            "keep",
            *arguments,
        ),
    )
    assert ran.code == 0
    localizer = wsloc.load(gap_checkpoint, image_size=64, resize="keep")
    direct = localizer.localize(
        [file.path for file in find_images([scenes])],
        classes=["star", 5, "n03"],
        **options,
    )
    written = predictions(tmp_path)
    assert [record.predictions for record in written] == [record.predictions for record in direct]
    assert max(len(record.predictions) for record in written) > 1
    assert not (tmp_path / "overlays").exists()
    mass = command(
        "boxes",
        scenes / "key.png",
        "--checkpoint",
        gap_checkpoint,
        "-o",
        tmp_path / "mass",
        "--mass",
        0.5,
        "--box",
        "mass",
    )
    assert mass.code == 0
    (half,) = predictions(tmp_path / "mass")
    assert half.image == "key.png"
    assert 0.5 <= half.predictions[0].mass < 0.7


def test_labels_of_each_image(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "image,label\na/star.png,star;fish\na/tall.png,n02\nfish.jpg,fish\nkey.png,3;moon;key\n"
    )
    ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, "--labels", labels, "-o", tmp_path / "out")
    assert ran.code == 0
    named = [
        sorted(prediction.class_name for prediction in record.predictions)
        for record in predictions(tmp_path / "out")
    ]
    assert named == [["fish", "star"], ["donut"], ["fish"], ["key", "moon"]]
    labels.write_text("image,label\nkey.png,key\n")
    again = ("boxes", scenes, "--checkpoint", ep_checkpoint, "--labels", labels, "-o", tmp_path / "out")
    ran = command(*again)
    assert (ran.code, ran.stdout) == (2, "")
    assert "out holds the results of another run, labels (" in ran.stderr
    ran = command(*again, "--overwrite")
    assert ran.code == 3
    assert ran.stderr.splitlines()[0] == "failed: a/star.png: the labels file has no label for it"
    assert ran.stderr.count("failed: ") == 3


def test_the_default_is_the_networks_own_map(
    command: Command, ep_checkpoint: Path, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    for checkpoint, map_name in ((ep_checkpoint, "entropy-class"), (gap_checkpoint, "cam")):
        out = tmp_path / map_name
        ran = command("boxes", scenes, "--checkpoint", checkpoint, "-o", out, "--json", "-v")
        assert json.loads(ran.stdout)["map"] == map_name
        assert ran.stderr == f"map {map_name} on cpu, 4 images\n"
    model = ("--model", "small_resnet", "--weights", "none", "--image-size", 32)
    ran = command("boxes", scenes / "key.png", *model, "-o", tmp_path, "--json")
    assert json.loads(ran.stdout)["map"] == "entropy-top5"  # 1000 classes, none named
    assert ran.stderr == "small_resnet has random weights: its boxes mean nothing (for timing and tests)\n"
    ran = command(
        "boxes",
        scenes / "key.png",
        *model,
        "-o",
        tmp_path,
        "--json",
        "--class",
        "goldfish",
        "-q",
        "--overwrite",
    )
    assert json.loads(ran.stdout)["map"] == "entropy-class"
    assert ran.stderr == ""


def test_json_is_one_document(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    for loudness in ((), ("--quiet",), ("--verbose",)):
        ran = command(
            "boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path / "out", "--json", *loudness
        )
        assert ran.code == 0
        content = json.loads(ran.stdout)
        assert ran.stdout.startswith("{")
        assert ran.stdout.isascii()
        assert content["schema_version"] == 1
        assert (content["images"], content["failed"], content["failures"]) == (4, 0, [])
        assert sum(content["classes"].values()) == 4
        assert content["output"] == str(tmp_path / "out")
        assert Path(content["manifest"]).is_file()
        assert {"map", "without_mass", "flat", "seconds"} < set(content)


def test_people_get_a_table(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    """Complete even where it goes to a pipe, and without colour there."""
    ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path / ("x" * 100))
    assert ran.code == 0
    assert ran.stderr == ""
    assert "\x1b" not in ran.stdout
    lines = ran.stdout.splitlines()
    assert lines[0].strip() == "entropy-class boxes"
    for image in ("a/star.png", "a/tall.png", "b/fish.jpg", "key.png"):
        (row,) = (line for line in lines if f" {image} " in line)
        assert re.search(
            r"(star|donut|fish|key|flower|moon) .* \d+\.\d% .* \d+, \d+, \d+, \d+ .* \d+\.\d%", row
        )
    assert re.fullmatch(rf"4 of 4 images in \d+\.\d s -> {tmp_path}/x{{100}}", lines[-1])
    quiet = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path, "-q")
    assert (quiet.code, quiet.stdout, quiet.stderr) == (0, "", "")


def test_another_run_is_refused_unless_overwriting_is_said(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    options = ("--checkpoint", ep_checkpoint, "-o", tmp_path, "-q")
    assert command("boxes", scenes, *options).code == 0
    ran = command("boxes", scenes / "key.png", *options)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"wsloc: error: {tmp_path} holds the results of another run, images (4 there, 1 here): give --overwrite to "
        "replace them, or another --output\n"
    )
    assert len(predictions(tmp_path)) == 4
    assert command("boxes", scenes / "key.png", *options, "--overwrite").code == 0
    assert [record.image for record in predictions(tmp_path)] == ["key.png"]


def test_a_complete_run_has_nothing_left_to_do(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """Arguments that change no result may differ, and a checkpoint is the same wherever it lies."""
    elsewhere = tmp_path / "elsewhere.pt"
    shutil.copy(ep_checkpoint, elsewhere)
    first = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path / "out")
    again = command(
        *(
            "boxes",
            scenes,
            "--checkpoint",
            elsewhere,
            "-o",
            tmp_path / "out",
            "--workers",
            0,
            "--device",
            "cpu",
        )
    )
    assert (again.code, again.stderr) == (
        0,
        f"nothing is left to do: {tmp_path}/out holds this run; --overwrite does it anew\n",
    )
    assert again.stdout.splitlines()[:-1] == first.stdout.splitlines()[:-1]
    ran = command("boxes", scenes, "--checkpoint", elsewhere, "-o", tmp_path / "out", "--json", "-q")
    assert (json.loads(ran.stdout)["skipped"], ran.stderr) == (4, "")


def test_maps_that_say_nothing_are_noted(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    ran = command("boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path, "--image-size", 8)
    assert ran.code == 0
    assert ran.stderr == (
        "maps with one value everywhere: 4; their boxes say nothing of where (a grid of 1 x 1 cell, or a blank "
        "picture)\n"
    )


def test_the_manifest_has_the_arguments_and_the_weights(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    command(
        "boxes", scenes, "--checkpoint", ep_checkpoint, "-o", tmp_path / "out", "--format", "csv, coco", "-q"
    )
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["checkpoint"]["path"] == str(ep_checkpoint)
    assert manifest["arguments"]["images"] == [str(scenes)]
    assert manifest["arguments"]["formats"] == "csv, coco"
    assert manifest["arguments"]["mass"] == 0.98
    assert not {"as_json", "quiet", "verbose"} & set(manifest["arguments"])
    assert (tmp_path / "out/coco.json").exists()
    assert (tmp_path / "out/predictions.csv").exists()
    torch.save(SmallResNet(3).state_dict(), tmp_path / "weights.pth")
    model = (
        "--model",
        "small_resnet",
        "--weights",
        tmp_path / "weights.pth",
        "--class-names",
        tmp_path / "names.txt",
    )
    (tmp_path / "names.txt").write_text("cat\ndog\ncow\n")
    ran = command("boxes", scenes, *model, "-o", tmp_path / "out", "--overwrite")
    assert ran.code == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["model"] == "small_resnet"
    assert manifest["checkpoint"]["path"] == str(tmp_path / "weights.pth")
    assert predictions(tmp_path / "out")[0].predictions[0].class_name in {"cat", "dog", "cow"}
    assert not (tmp_path / "out/coco.json").exists()


@pytest.fixture
def scenes_here(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(scenes, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("output", [(), ("-o", ".")])
def test_its_own_overlays_are_no_images(
    command: Command, ep_checkpoint: Path, scenes_here: Path, output: tuple[str, ...]
) -> None:
    """`wsloc boxes .` a second time finds what it found at first, be the results in the folder itself."""
    overlays = scenes_here / (output[-1] if output else "wsloc-boxes") / "overlays"
    for _ in range(2):
        ran = command("boxes", ".", "--checkpoint", ep_checkpoint, *output, "--json")
        assert ran.code == 0
        assert json.loads(ran.stdout)["images"] == 4
        assert len(list(overlays.rglob("*.jpg"))) == 4
    ran = command("boxes", overlays, "--checkpoint", ep_checkpoint, *output)
    assert ran.code == 1
    assert "no image found but the pictures of an earlier run" in ran.stderr
    assert len(list(overlays.rglob("*.jpg"))) == 4


def test_ones_own_pictures_among_the_overlays_are_images(
    command: Command, ep_checkpoint: Path, scenes_here: Path
) -> None:
    """Before the first run and after it, found in their folder or named; what was drawn is refused by name."""
    overlays = scenes_here / "overlays"
    overlays.mkdir()
    (scenes_here / "key.png").rename(overlays / "mine.png")
    for _ in range(2):
        ran = command("boxes", ".", "--checkpoint", ep_checkpoint, "-o", ".", "--json")
        assert (ran.code, json.loads(ran.stdout)["images"]) == (0, 4)
    ran = command(
        *(
            "boxes",
            "overlays/mine.png",
            "b",
            "--checkpoint",
            ep_checkpoint,
            "-o",
            ".",
            "--json",
            "--overwrite",
        )
    )
    assert (ran.code, json.loads(ran.stdout)["images"]) == (0, 2)
    assert (overlays / "mine.png.jpg").exists()
    (scenes_here / "list.txt").write_text("overlays/mine.png.jpg")
    for place in ("overlays/mine.png.jpg", "@list.txt"):
        ran = command("boxes", place, "b", "--checkpoint", ep_checkpoint, "-o", ".")
        assert ran.code == 1
        assert "overlays/mine.png.jpg was drawn by the earlier run in ., which is about to be" in ran.stderr
    assert (overlays / "mine.png.jpg").exists()


def test_the_demo(command: Command, tmp_path: Path) -> None:
    """What the README shows first."""
    root = Path(__file__).parent.parent.parent
    assert (root / "assets/demo-ep.pt").is_file()
    ran = command("boxes", root / "assets/images", "--checkpoint", "demo", "-o", tmp_path, "--json")
    assert ran.code == 0
    assert json.loads(ran.stdout)["images"] == 12
    found = {record.image: record.predictions[0].class_name for record in predictions(tmp_path)}
    assert sum(image.startswith(name) for image, name in found.items()) >= 9


def test_a_profile_says_where_the_time_went(
    command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """On stderr, in the manifest and in the document; it is no other run."""
    asked = (
        "boxes",
        scenes,
        "--checkpoint",
        ep_checkpoint,
        "-o",
        tmp_path,
        "--workers",
        1,
        "--batch-size",
        3,
    )
    ran = command(*asked, "--profile", "--json")
    assert ran.code == 0
    profile = json.loads(ran.stdout)["profile"]
    of_others = {FINE_TUNING, LABELLING, SCORES, WAIT_FOR_SCORES}
    stages = [stage for stage in STAGES if stage not in of_others]
    assert list(profile) == stages
    assert all(seconds >= 0 for seconds in profile.values())
    assert profile["forward"] > 0
    assert json.loads((tmp_path / "manifest.json").read_text())["profile"] == profile
    head, *lines = ran.stderr.splitlines()
    assert head.startswith("where the time went, of ")
    for stage, line in zip(stages, lines, strict=True):
        assert line.split(f"{profile[stage]:.2f} s")[0].strip() == stage
    again = command(*asked)
    assert "nothing is left to do" in again.stderr


def test_a_batch_that_does_not_fit_is_divided_and_recorded_whole(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = (
        "boxes",
        scenes,
        "--checkpoint",
        gap_checkpoint,
        "--workers",
        0,
        "--no-overlays",
        "--class",
        "top5",
    )
    assert command(*asked, "-o", tmp_path / "whole").stderr == ""
    forward = SmallResNet.features

    def limited(self: SmallResNet, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, images)

    monkeypatch.setattr(SmallResNet, "features", limited)
    ran = command(*asked, "-o", tmp_path / "divided")
    assert ran.code == 0
    assert "4 inputs at once did not fit into the memory: 1 went through the network at a time" in ran.stderr
    for one, other in zip(predictions(tmp_path / "divided"), predictions(tmp_path / "whole"), strict=True):
        for left, right in zip(one.predictions, other.predictions, strict=True):
            assert left.class_index == right.class_index
            assert left.box == pytest.approx(right.box, abs=1)
            assert left.probability == pytest.approx(right.probability, abs=1e-4)
    for folder, limit in (("whole", 16), ("divided", 1)):
        assert json.loads((tmp_path / folder / "manifest.json").read_text())["inputs_at_once"] == limit
