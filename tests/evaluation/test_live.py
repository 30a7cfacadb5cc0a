from __future__ import annotations

from dataclasses import replace
from threading import Event, get_ident
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.evaluation.example_data_set import write_data_set
from tests.example_localizers import Limited
from wsloc.errors import DataError, MapError
from wsloc.evaluation.live import score_images
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.fitting import Fitting
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load
from wsloc.localizer import Localizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_batches_and_workers_change_nothing(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=5)
    localizer = load("demo", device="cpu", resize="keep")
    files = find_images([data / "images"])
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    runs = [RunKey("cam", BoxRule("threshold", 0.2)), RunKey("entropy-top5", BoxRule("mass", 0.98))]
    results = []
    for batch_size, workers in ((5, 0), (2, 1)):
        scores = Scores(pairs, localizer.classes, runs, threshold_step=0.1)
        done: list[int] = []
        score_images(localizer, files, scores, batch_size=batch_size, workers=workers, on_batch=done.append)
        assert sum(done) == 5
        results.append(scores)
    for run in runs:
        one, other = (scores.guesses[run] for scores in results)
        assert np.array_equal(one.labels, other.labels)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1)
        np.testing.assert_allclose(results[0].known[run], results[1].known[run], atol=1)
    shared = results[0].guesses[runs[1]]
    assert shared.shared.all()
    assert not results[0].guesses[runs[0]].shared.any()


def test_a_batch_that_does_not_fit_is_divided(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=5)
    localizer = load("demo", device="cpu")
    limited = replace(localizer, network=Limited(localizer.network, 2), fitting=Fitting())
    files, run = find_images([data / "images"]), RunKey("cam", BoxRule("threshold", 0.2))
    results = []
    for own in (localizer, limited):
        scores = Scores([(sample.image, sample) for sample in read_annotations(data)], own.classes, [run])
        score_images(own, files, scores, batch_size=5)
        results.append(scores)
    assert limited.fitting.limit == 2
    one, other = (scores.guesses[run] for scores in results)
    assert np.array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1)


def test_a_batch_is_scored_while_the_next_is_in_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch's scoring waits for the second one's turn in the network, which would never come otherwise."""
    data = write_data_set(tmp_path / "val", count=4)
    localizer = load("demo", device="cpu")
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    scores = Scores(pairs, localizer.classes, [RunKey("cam", BoxRule("threshold", 0.2))], threshold_step=0.1)
    observe, add_maps, second = Localizer.observe, Scores.add_maps, Event()
    calls, rows = [], []

    def observed(self: Localizer, images: Any, maps: Any, choose: Any) -> Any:
        calls.append(len(images))
        if len(calls) == 2:
            second.set()
        return observe(self, images, maps, choose)

    def added(self: Scores, row: int, *rest: Any) -> None:
        assert second.wait(20)
        rows.append(row)
        add_maps(self, row, *rest)

    monkeypatch.setattr(Localizer, "observe", observed)
    monkeypatch.setattr(Scores, "add_maps", added)
    score_images(localizer, find_images([data / "images"]), scores, batch_size=2)
    assert calls == [2, 2]
    assert rows == [0, 1, 2, 3]
    assert scores.curves["cam"].images == 4


def test_one_thread_alone_fills_the_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that cannot be read, or are of another size than annotated, wait for their batch's turn, too."""
    data = write_data_set(tmp_path / "val", count=6)
    (data / "images" / "4.png").write_bytes(b"no picture")
    localizer = load("demo", device="cpu")
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    for row in (1, 2):
        pairs[row] = (pairs[row][0], replace(pairs[row][1], image_size=(64, 81)))
    scores = Scores(pairs, localizer.classes, [RunKey("cam", BoxRule("threshold", 0.2))], threshold_step=0.1)
    turns: list[tuple[int, str]] = []
    fillers: set[int] = set()

    def noting(name: str) -> Callable[..., None]:
        own = getattr(Scores, name)

        def noted(self: Scores, row: int, *rest: Any) -> None:
            turns.append((row, name))
            fillers.add(get_ident())
            own(self, row, *rest)

        return noted

    for name in ("fail", "add_maps"):
        monkeypatch.setattr(Scores, name, noting(name))
    score_images(localizer, find_images([data / "images"]), scores, batch_size=2)
    pairs_of_turns = [
        (1, "fail"),
        (0, "add_maps"),
        (2, "fail"),
        (3, "add_maps"),
        (4, "fail"),
        (5, "add_maps"),
    ]
    assert turns == pairs_of_turns  # batch by batch, failures first
    assert len(fillers) == 1
    assert get_ident() not in fillers
    assert [failure.image for failure in scores.failures] == ["1.png", "2.png", "4.png"]
    assert scores.curves["cam"].images == 6


def test_pictures_that_are_all_of_another_size_are_one_error(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    localizer = load("demo", device="cpu")
    pairs = [(sample.image, replace(sample, image_size=(1, 2))) for sample in read_annotations(data)]
    scores = Scores(pairs, localizer.classes, [RunKey("cam", BoxRule("threshold", 0.2))], threshold_step=0.1)
    with pytest.raises(DataError, match=r"0\.png: .* another version .* all 3\)"):
        score_images(localizer, find_images([data / "images"]), scores, batch_size=2)


def test_an_error_in_the_scores_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> None:
        raise MapError("the map has NaN")

    data = write_data_set(tmp_path / "val", count=2)
    localizer = load("demo", device="cpu")
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    scores = Scores(pairs, localizer.classes, [RunKey("cam", BoxRule("threshold", 0.2))], threshold_step=0.1)
    monkeypatch.setattr(Scores, "add_maps", refuse)
    with pytest.raises(DataError, match=r"0\.png: the map has NaN"):
        score_images(localizer, find_images([data / "images"]), scores)
