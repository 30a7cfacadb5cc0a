from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.evaluation.example_seeds import scored, write
from wsloc.errors import DataError
from wsloc.records import Failure

if TYPE_CHECKING:
    from pathlib import Path


def test_pixels_are_counted_and_an_image_without_seeds_is_ignored_all_over(tmp_path: Path) -> None:
    scores = scored(tmp_path)
    # Rows are the truth (background, cat, dog, cow), columns the seeds, ignored ones last.
    assert scores.matrix.counts().tolist() == [[3, 0, 0, 0, 1], [0, 4, 1, 0, 1], [1, 0, 1, 0, 1], [0] * 5]
    assert scores.matrix.coverage() == pytest.approx(100 * 10 / 13)
    assert [(failure.image, failure.error) for failure in scores.failures] == [("c", "c: has no seeds")]
    assert scores.labelled.tolist() == [3, 2, 2, 0]


def test_each_image_has_figures_of_its_own(tmp_path: Path) -> None:
    first, second = scored(tmp_path).images
    assert first.classes == ((1, 3 / 4),)
    assert first.miou == pytest.approx((1 + 3 / 4) / 2)
    assert first.ignored == pytest.approx(1 / 7)
    assert second.classes == ((1, 1 / 2), (2, 1 / 3))
    assert second.miou == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[0, 0, 7]], r"a\.png: 3 x 1 pixels, and its true mask has 4 x 2"),
        ([[0, 0, 7, 8]] * 2, r"a\.png: holds the value 8, which stands for no class"),
        (None, r"the mask .*a\.png: is not there"),
    ],
)
def test_seeds_that_cannot_be_scored_fail_alone(
    tmp_path: Path, values: list[list[int]] | None, words: str
) -> None:
    scores = scored(tmp_path)
    before = scores.matrix.counts()
    path = tmp_path / "bad/a.png"
    if values is not None:
        write(path, values)
    scores.add(scores.images[0].sample, path, [1])
    assert len(scores.images) == 2
    with pytest.raises(DataError, match=words):
        raise DataError(scores.failures[-1].error)
    missed = scores.matrix.counts() - before
    assert missed[:, -1].tolist() == [3, 4, 0, 0]
    assert missed[:, :-1].sum() == 0


def test_a_true_mask_that_cannot_be_read_counts_nowhere(tmp_path: Path) -> None:
    scores = scored(tmp_path)
    before = scores.matrix.counts()
    sample = replace(scores.images[0].sample, masks=(tmp_path / "gone.png",))
    scores.add(sample, scores.images[0].path, [1])
    assert "gone.png" in scores.failures[-1].error
    assert (scores.matrix.counts() == before).all()


def test_if_everything_fails_the_most_telling_reason_is_the_error(tmp_path: Path) -> None:
    scores = scored(tmp_path)
    scores.require_any()
    scores.images.clear()
    with pytest.raises(DataError, match=r"^c: has no seeds$"):
        scores.require_any()
    scores.failures.append(Failure("d", "d.png: 3 x 1 pixels"))
    with pytest.raises(DataError, match=r"^d\.png: 3 x 1 pixels \(all 2 images have failed\)$"):
        scores.require_any()
