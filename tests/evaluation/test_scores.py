from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from wsloc.errors import DataError
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.records import Classes, Sample

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = Classes(("cat", "dog"), ("cat", "dog"))


def sample(name: str, label: str, size: tuple[int, int] | None = (20, 40)) -> Sample:
    return Sample(name, None, labels=(label,), image_size=size, boxes=((label, (0.0, 0.0, 20.0, 20.0)),))


def test_guesses_known_boxes_and_curves_of_one_image() -> None:
    run = RunKey("cam", BoxRule("threshold", 0.5))
    scores = Scores([("a", sample("a", "dog"))], CLASSES, [run])
    left, right = np.zeros((10, 20), np.float32), np.zeros((10, 20), np.float32)
    left[:, :10], right[:, 10:] = 1, 1
    scores.add_maps(0, "cam", [0, 1], {0: right, 1: left})
    assert scores.guesses[run].labels[0].tolist() == [0, 1, -1, -1, -1]
    assert scores.known[run].tolist() == [[0.0, 0.0, 20.0, 20.0]]
    assert scores.curves["cam"].best("single")[0.5].accuracy == 100


def test_a_failed_image_is_wrong_everywhere() -> None:
    run = RunKey("cam", BoxRule("threshold", 0.5))
    scores = Scores([("a", sample("a", "dog"))], CLASSES, [run])
    scores.fail(0, "a: cannot be read")
    assert scores.known[run].tolist() == [[0, 0, 0, 0]]
    assert scores.curves["cam"].max_box_acc() == 0
    assert [failure.error for failure in scores.failures] == ["a: cannot be read"]


def test_sizes_come_from_annotations_or_pictures_and_must_agree() -> None:
    run = RunKey("cam", None)
    scores = Scores([("a", sample("a", "dog")), ("b", sample("b", "cat", None))], CLASSES, [run])
    assert scores.size(0) == (20, 40)
    with pytest.raises(DataError, match="b: its size is not known"):
        scores.size(1)
    scores.set_size(1, (7, 9))
    assert scores.size(1) == (7, 9)
    with pytest.raises(DataError, match="another version of the picture"):
        scores.set_size(0, (40, 20))


def test_masks_are_scored_where_every_image_has_one_label_and_a_mask(tmp_path: Path) -> None:
    run = RunKey("cam", None)
    masked = Sample("a", None, labels=("dog",), image_size=(20, 40), masks=(tmp_path / "a.png",))
    assert set(Scores([("a", masked)], CLASSES, [run]).pixels) == {"cam"}
    assert Scores([("a", masked), ("b", sample("b", "cat"))], CLASSES, [run]).pixels == {}
