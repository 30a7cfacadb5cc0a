from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.protocol import common_protocol
from wsloc.evaluation.run_keys import BoxRule
from wsloc.evaluator import evaluate_localization, evaluate_maps, evaluate_predictions
from wsloc.loader import load
from wsloc.methods.rib import FineTuning

if TYPE_CHECKING:
    from wsloc.evaluation.reporting import Evaluation


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("data") / "val", count=3)


def said(evaluation: Evaluation) -> dict[str, str]:
    return dict(evaluation.report.protocol)


@pytest.mark.parametrize(
    ("resize", "words"), [("squash", "squashed to 64 x 64"), ("keep", "the shorter side 64")]
)
def test_of_a_live_run(data: Path, resize: str, words: str) -> None:
    localizer = load("demo", device="cpu", resize=resize)
    said_of = said(evaluate_localization(localizer, None, data, maps=["cam"], threshold_step=0.25))
    assert words in said_of["Classification"]
    assert "min-max normalised" in said_of["MaxBoxAcc"]
    assert "multiples of 0.25" in said_of["MaxBoxAcc"]
    assert "largest component" in said_of["Boxes"]
    assert "size of the network's input" in said_of["Boxes"]
    assert "smallest rectangle" not in said_of["Boxes"]
    assert "each box is a guess" in said_of["Localization"]
    assert "of another size than its annotation says" in said_of["Failures"]
    assert not {"Ten crops", "Tuning", "Blacklist", "PxAP", "Views"} & set(said_of)


def test_of_fine_tuning(data: Path) -> None:
    """RIB has views of its own; those of other maps are told beside it."""
    tuning = FineTuning(steps=0, learning_rate=2e-4, scales=(1.0, 0.5))
    localizer = load("demo", device="cpu", flip=False, rib=tuning)
    said_of = said(evaluate_localization(localizer, None, data, maps=["rib"], threshold_step=0.5))
    assert "Views" not in said_of
    assert "for 0 steps (SGD, learning rate 0.0002 for its last two" in said_of["Fine-tuning"]
    assert "0 other images" in said_of["Fine-tuning"]
    assert "each of the input scaled by 1 and 0.5; an image is done where" in said_of["Fine-tuning"]
    both = evaluate_localization(
        replace(localizer, views=replace(localizer.views, flip=True)),
        None,
        data,
        maps=["rib", "cam"],
        threshold_step=0.5,
    )
    words = said(both)["Views"]
    assert words.endswith("for cam the mean is stretched to go up to 1")


@pytest.mark.parametrize(
    ("scales", "flip", "words"),
    [
        ((1.0,), True, "each map is the mean of 2, of the input, as it is and mirrored; each is brought"),
        ((1.0, 1.5), False, "each map is the mean of 2, of the input scaled by 1 and 1.5; each is brought"),
        ((1.5, 1.0), True, "the mean of 4, of the input scaled by 1.5 and 1, as it is and mirrored; "),
        ((1.5,), False, "maps are of the input scaled by 1.5, and brought back to the input's size"),
        ((0.01, 1.0), False, "of the input scaled by 0.01 and 1 (no side below "),
    ],
)
def test_of_scales_and_mirror_images(data: Path, scales: tuple[float, ...], flip: bool, words: str) -> None:
    localizer = load("demo", device="cpu", scales=scales, flip=flip)
    said_of = said(evaluate_localization(localizer, None, data, maps=["cam", "entropy"], threshold_step=0.5))
    assert words in said_of["Views"]
    several = len(scales) + flip > 1
    assert said_of["Views"].endswith("for cam the mean is stretched to go up to 1") is several
    first = f", the input then scaled by {scales[0]:g}"
    assert said_of["Classification"].endswith(first) is (scales[0] != 1)


def test_of_ten_crops_and_a_tuning_set(data: Path, tmp_path: Path) -> None:
    localizer, other = load("demo", device="cpu"), write_data_set(tmp_path / "tune", count=2, seed=4)
    said_of = said(
        evaluate_localization(
            localizer,
            None,
            data,
            maps=["cam", "entropy-class"],
            ten_crop=True,
            tune_on=Annotated(other),
            threshold_step=0.25,
        )
    )
    assert "mean of the softmax outputs" in said_of["Ten crops"]
    assert said_of["Ten crops"].endswith("under entropy pooling for entropy-class")
    assert str(other) in said_of["Tuning"]
    assert "flattered" not in said_of["Tuning"]
    own = evaluate_localization(
        localizer, None, data, maps=["cam"], tune_on=Annotated(data), threshold_step=0.5
    )
    assert "flattered" in said(own)["Tuning"]


def test_of_map_files(data: Path, tmp_path: Path) -> None:
    for number in range(3):
        np.save(tmp_path / f"{number}.npy", np.ones((224, 224), np.float32))
    plain = said(evaluate_maps(tmp_path, Annotated(data), threshold_step=0.5))
    assert "values as they stand in the file" in plain["Maps"]
    assert not any("normalised" in words for words in plain.values())
    assert "Classification" not in plain
    brought = said(
        evaluate_maps(
            tmp_path,
            Annotated(data),
            rules=[BoxRule("mass", 0.9)],
            threshold_step=0.5,
            normalize=True,
            resize=True,
        )
    )
    assert "min-max normalised" in brought["Maps"]
    assert "bilinearly" in brought["Maps"]
    assert "smallest rectangle" in brought["Boxes"]


def test_of_a_predictions_file(data: Path, tmp_path: Path) -> None:
    (tmp_path / "guesses.csv").write_text("ImageId,PredictionString\n0,star 0 0 5 5\n")
    said_of = said(evaluate_predictions(tmp_path / "guesses.csv", Annotated(data)))
    assert "guesses.csv" in said_of["Classification"]
    assert "without a line" in said_of["Failures"]
    assert not {"MaxBoxAcc", "Boxes", "Maps"} & set(said_of)


def test_of_a_blacklist() -> None:
    assert [name for name, _ in common_protocol(None, 0)] == ["Intervals"]
    name, words = common_protocol(Path("a/list.txt"), 1762)[0]
    assert name == "Blacklist"
    assert words.startswith(
        "the 1,762 images that list.txt lists are left out of Top-1, Top-5 and GT-known Loc"
    )
