from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set, write_kaggle, write_mask_set
from tests.scenes import CLASSES
from wsloc.evaluation.stages import Stage
from wsloc.inputs.annotations.formats import ANNOTATION_FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome

    Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data") / "val")


def test_a_table_for_people_and_the_files(command: Run, data: Path, tmp_path: Path) -> None:
    names = ("--compare", "cam,entropy-class", "--threshold-step", "0.1")
    outcome = command("eval", "--annotations", data, "--checkpoint", "demo", *names, "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.stderr
    assert "GT-known" in outcome.stdout
    assert any(line.startswith("entropy-class, mass 0.98 ") for line in outcome.stdout.splitlines())
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"report.json", "report.html", "images.csv"}


def test_one_json_document(command: Run, data: Path, tmp_path: Path) -> None:
    options = (
        "--map",
        "cam",
        "--mass",
        "0.98,0.9",
        "--map-threshold",
        "0.2",
        "--threshold-step",
        "0.1",
        "--json",
    )
    outcome = command(
        "eval", data / "images", "--annotations", data, "--checkpoint", "demo", *options, "-o", tmp_path
    )
    content = json.loads(outcome.stdout)
    assert content["schema_version"] == 1
    assert [run["box"] for run in content["runs"]] == ["mass 0.98", "mass 0.9", "threshold 0.2"]


def test_scales_mirror_images_and_a_layer(command: Run, data: Path, tmp_path: Path) -> None:
    options = ("--threshold-step", "0.1", "--json", "-o", tmp_path / "out")
    named = ("--map", "entropy", "--layer", "ep", "--scales", "1,1.5", "--flip")
    outcome = command("eval", "--annotations", data, "--checkpoint", "demo", *options, *named)
    assert outcome.code == 0, outcome.stderr
    content = json.loads(outcome.stdout)
    assert content["map"] == "entropy"
    assert content["protocol"]["Views"].startswith(
        "each map is the mean of 4, of the input scaled by 1 and 1.5"
    )
    assert content["arguments"]["flip"] is True
    plain = command("eval", "--annotations", data, "--checkpoint", "demo", *options, "--map", "entropy")
    content_of_one = json.loads(plain.stdout)
    assert "Views" not in content_of_one["protocol"]
    assert content_of_one["metrics"]["mean_iou"] != content["metrics"]["mean_iou"]


def test_failed_images_are_exit_3(command: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for path in (data / "images").iterdir():
        content = b"" if path.name == "3.png" else path.read_bytes()
        (tmp_path / "images" / path.name).write_bytes(content)
    options = ("--map", "cam", "--threshold-step", "0.1", "-o", tmp_path / "out")
    outcome = command("eval", tmp_path / "images", "--annotations", data, "--checkpoint", "demo", *options)
    assert outcome.code == 3
    assert "3.png" in outcome.stderr


def test_a_tuning_set_whose_annotations_name_no_pictures(command: Run, data: Path, tmp_path: Path) -> None:
    table = write_kaggle(tmp_path / "kaggle.csv", write_data_set(tmp_path / "other", count=4, seed=9))
    tuning = ("--tune-on", table, "--tune-format", "imagenet-csv")
    options = ("--map", "cam", "--threshold-step", "0.1", "--json", "-o", tmp_path / "out")
    outcome = command("eval", "--annotations", data, "--checkpoint", "demo", *options, *tuning)
    assert outcome.code == 1
    assert "--tune-images" in outcome.stderr
    pictures = ("--tune-images", tmp_path / "other/images")
    outcome = command("eval", "--annotations", data, "--checkpoint", "demo", *options, *tuning, *pictures)
    assert outcome.code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["runs"][1]["box"].endswith(", tuned")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "name one source"),
        (("--checkpoint", "demo", "--maps", "x"), 2, "name one source"),
        (("--seeds", "y", "--maps", "x"), 2, "name one source"),
        (
            ("--seeds", "x", "--mass", "0.5"),
            2,
            "--mass goes with --checkpoint or --model or --maps, not with --seeds",
        ),
        (("--seeds", "x", "--blacklist", "y"), 2, "not with --seeds"),
        (("--seeds", "nowhere"), 1, "its annotations have no masks of classes"),
        (("--checkpoint", "demo", "--classes", ","), 2, "--classes ',' names no class"),
        (("--checkpoint", "demo", "--classes", "goldfish"), 1, "no image is labelled goldfish"),
        (("--checkpoint", "demo", "--compare", "cam,rainbow"), 2, "rainbow"),
        (("--checkpoint", "demo", "--mass", "0"), 2, "--mass: 0 is not a fraction"),
        (("--checkpoint", "demo", "--map-threshold", "much"), 2, "no fraction"),
        (("--checkpoint", "demo", "--normalize"), 2, "goes with --maps"),
        (("--maps", "x", "--ten-crop"), 2, "--ten-crop goes with --checkpoint or --model, not with --maps"),
        (("--maps", "x", "--synsets", "nowhere.txt"), 2, "--synsets goes with --predictions"),
        (("--checkpoint", "demo", "--synsets", "nowhere.txt"), 2, "--synsets goes with --predictions"),
        (("--predictions", "x", "--mass", "0.5"), 2, "--mass goes with --checkpoint or --model or --maps"),
        (("--predictions", "x", "--threshold-step", "0.001"), 2, "--threshold-step"),
        (("--predictions", "x", "--batch-size", "16"), 2, "--batch-size"),
        (("--checkpoint", "demo", "--mass", ","), 2, "--mass ',' names no number"),
        (("--checkpoint", "demo", "--map-threshold", ""), 2, "--map-threshold '' names no number"),
        (("--maps", "x", "--scales", "1"), 2, "--scales goes with --checkpoint or --model, not with --maps"),
        (("--predictions", "x", "--flip"), 2, "--flip goes with --checkpoint or --model"),
        (("--predictions", "x", "--no-flip"), 2, "--flip goes with --checkpoint or --model"),
        (("--maps", "x", "--layer", "ep"), 2, "--layer goes with --checkpoint or --model, not with --maps"),
        (("--checkpoint", "demo", "--layer", "ep"), 2, "--layer goes with --map entropy"),
        (("--checkpoint", "demo", "--map", "cam", "--layer", "ep"), 2, "--layer goes with --map entropy"),
        (("--checkpoint", "demo", "--compare", "cam", "--layer", "ep"), 2, "--layer goes with --map entropy"),
        (("--checkpoint", "demo", "--map", "entropy", "--layer", "bew2"), 1, "entropy-bew2"),
        (("--checkpoint", "demo", "--scales", "1,large"), 2, "--scales is a list of numbers"),
        (("--checkpoint", "demo", "--scales", "0,1"), 1, "scales are factors above 0"),
        (("--checkpoint", "demo", "--blacklist", "nowhere.txt"), 1, "nowhere.txt"),
        (("--predictions", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("--maps", "nowhere"), 1, "nowhere"),
        (("--checkpoint", "demo", "--annotation-format", "yaml"), 1, "yaml"),
        (("--checkpoint", "demo", "--tune-on", "nowhere"), 1, "nowhere"),
        (("--checkpoint", "demo", "--tune-images", "x"), 2, "go with --tune-on"),
    ],
)
def test_mistakes_are_one_line(
    command: Run, data: Path, tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    outcome = command("eval", "--annotations", data, *options, "-o", tmp_path / "out")
    assert outcome.code == code
    assert words in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert outcome.stdout == ""


def test_pictures_go_with_maps_and_predictions(command: Run, data: Path, tmp_path: Path) -> None:
    rows = ["ImageId,PredictionString"]
    lines = []
    for line in (data / "val_annotations.txt").read_text().splitlines():
        name, *box = line.split("\t")
        rows.append(f"{name.removesuffix('.png')},{' '.join(box)}")
        lines.append(f"{name} {' '.join(box)}")
        (tmp_path / "maps").mkdir(exist_ok=True)
        np.save(tmp_path / "maps" / name, np.ones((224, 224)))
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "guesses.txt").write_text("\n".join(lines) + "\n")
    for source in (("--maps", tmp_path / "maps"), ("--predictions", tmp_path / "guesses.txt")):
        options = ("--annotations", tmp_path / "truth.csv", "-o", tmp_path / "out")
        outcome = command("eval", data / "images", *options, *source)
        assert outcome.code == 0, outcome.stderr
        assert "data:image/jpeg;base64" in (tmp_path / "out" / "report.html").read_text()


def test_seeds_against_masks(command: Run, tmp_path: Path) -> None:
    truth = write_mask_set(tmp_path / "truth", 3)
    (tmp_path / "seeds").mkdir()
    for number in range(2):
        content = (truth / f"masks/{number}.png").read_bytes()
        (tmp_path / "seeds" / f"{number}.png").write_bytes(content)
    options = ("--seeds", tmp_path / "seeds", "-o", tmp_path / "out")
    outcome = command("eval", "--annotations", truth / "list.txt", *options)
    assert outcome.code == 0, outcome.stderr
    assert any(line.split() == ["seeds", *["100.00"] * 5] for line in outcome.stdout.splitlines())
    assert "no classes.json says what its values mean" in outcome.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json",
        "report.html",
        "images.csv",
    }
    outcome = command("eval", "--annotations", truth, *options, "--json")
    assert outcome.code == 3  # the third has no seeds
    metrics = json.loads(outcome.stdout)["metrics"]
    assert metrics["coverage"] < 70
    assert metrics["miou"] < metrics["miou_labelled"] == 100
    assert "2.jpg: has no seeds" in outcome.stderr


def test_classes_of_masks_alone(command: Run, tmp_path: Path) -> None:
    truth = write_mask_set(tmp_path / "truth", 2)
    options = ("--classes", CLASSES[0], "--threshold-step", "0.1", "--json", "-o", tmp_path / "out")
    outcome = command("eval", "--annotations", truth, "--checkpoint", "demo", *options)
    assert outcome.code == 0, outcome.stderr
    content = json.loads(outcome.stdout)
    assert [row["class_name"] for row in content["per_class"]] == ["background", CLASSES[0]]
    assert content["curves"]["miou"]["thresholds"] == [round(0.1 * number, 1) for number in range(10)]
    assert content["thresholds"]["best_miou"]["chosen_on"] == "scored-set"
    assert "Mean IoU of masks against the map threshold" in (tmp_path / "out/report.html").read_text()


def test_an_interrupted_evaluation_is_gone_on_with_or_refused(
    command: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = Stage.keep

    def keep_one(self: Stage, number: int, line: bytes) -> None:
        if number:
            raise KeyboardInterrupt
        keep(self, number, line)

    options = ("--map", "cam", "--threshold-step", "0.5", "--batch-size", "4", "-o", tmp_path / "out")
    asked = ("eval", "--annotations", data, "--checkpoint", "demo", *options)
    with monkeypatch.context() as patch:
        patch.setattr(Stage, "keep", keep_one)
        assert command(*asked).code == 130
    refused = command(*asked, "--mass", "0.5")
    assert refused.code == 2
    assert (
        "interrupted run with other arguments, box rules (threshold 0.2 there, mass 0.5 here)"
        in refused.stderr
    )
    guesses = tmp_path / "guesses.txt"
    guesses.write_text((data / "val_annotations.txt").read_text().replace("\t", " "))
    ready_made = ("eval", "--annotations", data, "--predictions", guesses, "-o", tmp_path / "out")
    refused = command(*ready_made)
    assert refused.code == 2
    assert "holds an interrupted run of wsloc eval" in refused.stderr
    assert command(*asked).code == 0
    assert command(*ready_made).code == 0  # a complete report is replaced
    assert json.loads((tmp_path / "out/report.json").read_text())["map"] == "guesses.txt"
    assert command(*asked).code == 0


def test_ready_made_results_are_scored_by_the_leading_process_alone(
    command: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    guesses = tmp_path / "guesses.txt"
    guesses.write_text((data / "val_annotations.txt").read_text().replace("\t", " "))
    outcome = command("eval", "--annotations", data, "--predictions", guesses, "-o", tmp_path / "out")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")
    assert not (tmp_path / "out").exists()
    monkeypatch.setenv("RANK", "0")
    outcome = command("eval", "--annotations", data, "--predictions", guesses, "-o", tmp_path / "out")
    assert outcome.code == 0
    assert (tmp_path / "out/report.json").is_file()


def test_help_names_every_annotation_format(command: Run) -> None:
    shown = command("eval", "--help").stdout
    assert [name for name in ANNOTATION_FORMATS if name not in shown] == []
