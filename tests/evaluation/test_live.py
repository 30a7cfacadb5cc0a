from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.evaluation.example_data_set import write_data_set
from wsloc.evaluation.live import score_images
from wsloc.evaluation.scores import BoxRule, RunKey, Scores
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load

if TYPE_CHECKING:
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
