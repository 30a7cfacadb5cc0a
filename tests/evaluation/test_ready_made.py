from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError, MapError
from wsloc.evaluation.ready_made import score_guesses, score_map_files
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.inputs.guesses import Guesses
from wsloc.records import Box, Classes, Sample

if TYPE_CHECKING:
    from pathlib import Path

BOX: Box = (0.0, 0.0, 10.0, 10.0)
CLASSES = Classes(("cat", "dog"), ("cat", "dog"))
NUMBERS = {"cat": 0, "dog": 1}


def sample(name: str, label: str) -> Sample:
    return Sample(name, None, labels=(label,), image_size=(20, 20), boxes=((label, BOX),))


def test_guesses_fill_their_rows_and_the_rest_fails() -> None:
    run = RunKey("file", None)
    pairs = [(name, sample(name, "dog")) for name in ("a", "b", "c")]
    scores = Scores(pairs, CLASSES, [run], with_maps=False)
    guesses = [
        Guesses("b", ("dog", "cat"), (BOX, BOX)),
        Guesses("stranger", ("dog",), (BOX,)),
        Guesses("c", (), (), error="c: was broken"),
    ]
    score_guesses(guesses, {"a": 0, "b": 1, "c": 2}, run, scores, NUMBERS)
    assert scores.guesses[run].answered.tolist() == [False, True, False]
    assert [(failure.image, failure.error) for failure in scores.failures] == [
        ("c", "c: was broken"),
        ("a", "a: has no line in the predictions"),
    ]
    assert scores.known[run].tolist() == [[0, 0, 0, 0], [*BOX], [0, 0, 0, 0]]


def test_the_box_of_the_true_class_may_stand_beyond_the_fifth_guess() -> None:
    run = RunKey("file", None)
    both = Sample("a", None, ("dog", "cat"), (20, 20), (("dog", BOX), ("cat", BOX)))
    scores = Scores([("a", both)], CLASSES, [run], with_maps=False)
    small, cat = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 9.0, 9.0)
    guess = Guesses("a", ("dog",) * 5 + ("cat",), (BOX, *(small,) * 4, cat))
    score_guesses([guess], {"a": 0}, run, scores, NUMBERS)
    assert scores.known[run].tolist() == [[*BOX], [*cat]]
    assert scores.guesses[run].labels.tolist() == [[1] * 5]  # ILSVRC looks at five


def test_map_files_missing_damaged_and_out_of_range(tmp_path: Path) -> None:
    good = np.zeros((224, 224), np.float32)
    good[:112, :112] = 1
    np.save(tmp_path / "a.npy", good)
    (tmp_path / "b.npy").write_bytes(b"no map")
    paths = {"a": tmp_path / "a.npy", "b": tmp_path / "b.npy"}
    run = RunKey("maps", BoxRule("threshold", 0.5))
    pairs = [(name, sample(name, "dog")) for name in ("a", "b", "c")]
    scores = Scores(pairs, CLASSES, [run])
    score_map_files(paths, scores)
    assert scores.known[run][0].tolist() == [*BOX]
    assert [failure.image for failure in scores.failures] == ["b", "c"]
    assert scores.curves["maps"].images == 3
    np.save(tmp_path / "a.npy", good * 2)
    with pytest.raises(MapError, match=r"a\.npy.*--normalize"):
        score_map_files(paths, Scores(pairs, CLASSES, [run]))


def test_guesses_of_a_picture_of_another_size_fail_and_name_their_line() -> None:
    run = RunKey("file", None)
    wrong = Guesses("a", ("dog",), (BOX,), image_size=(40, 80), where="guesses.jsonl:1")
    right = Guesses("b", ("dog",), (BOX,), image_size=(20, 20))
    pairs = [(name, sample(name, "dog")) for name in "ab"]
    scores = Scores(pairs, CLASSES, [run], with_maps=False)
    score_guesses([wrong, right], {"a": 0, "b": 1}, run, scores, NUMBERS)
    (failure,) = scores.failures
    assert failure.image == "a"
    assert "guesses.jsonl:1: the boxes are of a picture of 80 x 40 pixels" in failure.error
    assert "20 x 20" in failure.error
    scores = Scores(pairs, CLASSES, [run], with_maps=False)
    with pytest.raises(DataError, match=r"guesses\.jsonl:1: .* 80 x 40 .* 20 x 20"):
        score_guesses([wrong], {"a": 0, "b": 1}, run, scores, NUMBERS)


def test_maps_are_asked_for_by_the_label_of_the_annotation(tmp_path: Path) -> None:
    maps = np.zeros((2, 224, 224), np.float32)
    maps[0, :112, :112], maps[1, 112:, 112:] = 1, 1
    ids = np.array(["n01685808", "n02099601"])
    np.savez(tmp_path / "a.npz", maps=maps, class_index=np.array([3, 7]), class_id=ids)
    run = RunKey("maps", BoxRule("threshold", 0.5))
    pairs = [("a", sample("a", "7"))]
    scores = Scores(pairs, Classes(("x",), ("x",)), [run], label_indices={"7": 0})
    score_map_files({"a": tmp_path / "a.npz"}, scores)
    assert scores.failures == []
    assert scores.known[run][0].tolist() == [10, 10, 20, 20]


def test_maps_of_any_size_meet_masks_and_only_boxes_ask_for_the_protocols(tmp_path: Path) -> None:
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "mask.png")
    np.save(tmp_path / "a.npy", np.eye(4) * 0.5)
    masked = Sample("a", None, ("dog",), (4, 4), masks=(tmp_path / "mask.png",), mask_labels=((1, "dog"),))
    scores = Scores(
        [("a", masked)], CLASSES, [RunKey("maps", BoxRule("threshold", 0.5))], threshold_step=0.25
    )
    score_map_files({"a": tmp_path / "a.npy"}, scores)
    assert scores.sweeps["maps"].curve().tolist()[:3] == [
        100,
        100,
        100 * 12 / 16 / 2,
    ]  # as they are: 0.5 at most
    boxed = replace(masked, boxes=(("dog", BOX),))
    scores = Scores([("a", boxed)], CLASSES, [RunKey("maps", BoxRule("threshold", 0.5))], threshold_step=0.25)
    with pytest.raises(MapError, match=r"a\.npy: the map is 4 x 4, .* use --resize-maps"):
        score_map_files({"a": tmp_path / "a.npy"}, scores)
    np.save(tmp_path / "a.npy", np.eye(4) * 5)
    with pytest.raises(MapError, match=r"a\.npy: the map's values span 0 to 5.*--normalize"):
        score_map_files({"a": tmp_path / "a.npy"}, scores)
