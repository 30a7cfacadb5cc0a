from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tests.evaluation.example_data_set import write_data_set, write_mask_set
from wsloc.evaluation.annotated import Annotated, annotated_images
from wsloc.evaluation.parts import COLUMNS, SUMS, add_part, take_part
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.size_check import SizeCheck
from wsloc.loader import load

if TYPE_CHECKING:
    from pathlib import Path

RUNS = [RunKey("cam", BoxRule("threshold", 0.2)), RunKey("entropy", BoxRule("mass", 0.9))]
BATCHES = (range(2), range(2, 4), range(4, 5))


def make_scores(data: Path) -> Scores:
    localizer = load("demo", device="cpu")
    found = annotated_images(None, Annotated(data), localizer.classes)
    pairs = [(image, replace(sample, image_size=(64, 80))) for image, sample in found.matching.pairs]
    return Scores(pairs, localizer.classes, RUNS, threshold_step=0.1)


def fill(scores: Scores, rows: range, sizes: SizeCheck) -> None:
    """Maps at random, the same for each row; row 3 is of another size."""
    for row in rows:
        random = np.random.default_rng(row)
        error = sizes.error(row, (64, 80) if row != 3 else (1, 2))
        if error is not None:
            scores.fail(row, error)
            continue
        top = random.permutation(len(scores.classes))[:5].tolist()
        cells = {index: random.random((8, 8), np.float32) for index in (*top, *scores.labels(row))}
        scores.add_maps(row, "cam", top, cells)
        scores.add_maps(row, "entropy", top, cells[top[0]])


def compare(one: Scores, other: Scores) -> None:
    for run in RUNS:
        np.testing.assert_array_equal(one.known[run], other.known[run])
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(one.guesses[run], name), getattr(other.guesses[run], name))
    np.testing.assert_array_equal(one.truth.image_sizes, other.truth.image_sizes)
    assert one.failures == other.failures
    for kind in SUMS:
        sums, others = getattr(one, kind), getattr(other, kind)
        assert sums.keys() == others.keys()
        for name, accumulator in sums.items():
            for key, values in accumulator.state().items():
                np.testing.assert_array_equal(values, others[name].state()[key])


def test_batches_taken_apart_and_put_together_are_the_scores_of_all(tmp_path: Path) -> None:
    for data in (write_data_set(tmp_path / "boxes", count=5), write_mask_set(tmp_path / "masks", 5)):
        whole, worker, joined = (make_scores(data) for _ in range(3))
        all_sizes, sizes = SizeCheck(whole), SizeCheck(joined)
        fill(whole, range(5), all_sizes)
        lines = []
        for rows in BATCHES:
            own = SizeCheck(worker)
            fill(worker, rows, own)
            lines.append(take_part(worker, rows, own))
            assert lines[-1].endswith(b"\n")
            assert lines[-1].count(b"\n") == 1
        assert any(whole.curves) or any(whole.sweeps)
        for line in lines:
            add_part(joined, line, sizes)
        compare(joined, whole)
        assert (sizes.fitting, sizes.others) == (4, all_sizes.others)
        assert whole.failures


def test_the_scores_that_batches_were_taken_from_can_take_all_of_them(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "boxes", count=5)
    whole, worker = make_scores(data), make_scores(data)
    fill(whole, range(5), SizeCheck(whole))
    lines = []
    for rows in BATCHES:
        fill(worker, rows, own := SizeCheck(worker))
        lines.append(take_part(worker, rows, own))
    for line in lines:
        add_part(worker, line, SizeCheck(worker))
    compare(worker, whole)
