from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set
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
    assert "GT-known Loc error" in outcome.stdout
    assert "entropy-class, mass 0.98" in outcome.stdout
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


def test_failed_images_are_exit_3(command: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for path in (data / "images").iterdir():
        content = b"" if path.name == "3.png" else path.read_bytes()
        (tmp_path / "images" / path.name).write_bytes(content)
    options = ("--map", "cam", "--threshold-step", "0.1", "-o", tmp_path / "out")
    outcome = command("eval", tmp_path / "images", "--annotations", data, "--checkpoint", "demo", *options)
    assert outcome.code == 3
    assert "3.png" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ((), 2, "name one source"),
        (("--checkpoint", "demo", "--maps", "x"), 2, "name one source"),
        (("--checkpoint", "demo", "--compare", "cam,rainbow"), 2, "rainbow"),
        (("--checkpoint", "demo", "--mass", "0"), 2, "not a fraction"),
        (("--checkpoint", "demo", "--map-threshold", "much"), 2, "no fraction"),
        (("--checkpoint", "demo", "--normalize"), 2, "go with --maps"),
        (("--maps", "x", "--ten-crop"), 2, "--ten-crop"),
        (("--maps", "x", "--synsets", "nowhere.txt"), 2, "--synsets goes with --predictions"),
        (("--checkpoint", "demo", "--synsets", "nowhere.txt"), 2, "--synsets goes with --predictions"),
        (("--checkpoint", "demo", "--blacklist", "nowhere.txt"), 1, "nowhere.txt"),
        (("--predictions", "nowhere.jsonl"), 1, "nowhere.jsonl"),
        (("--maps", "nowhere"), 1, "nowhere"),
        (("--checkpoint", "demo", "--annotation-format", "yaml"), 1, "yaml"),
        (("--checkpoint", "demo", "--tune-on", "nowhere"), 1, "nowhere"),
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


def test_help_names_every_annotation_format(command: Run) -> None:
    shown = command("eval", "--help").stdout
    assert [name for name in ANNOTATION_FORMATS if name not in shown] == []
