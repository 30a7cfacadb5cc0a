from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.evaluation.pictures import add_sizes, with_pictures, with_sizes
from wsloc.evaluation.run_keys import RunKey
from wsloc.evaluation.scores import Scores
from wsloc.records import Classes, Sample

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = [Sample(name, None, labels=("dog",)) for name in ("a", "b", "c")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "stranger.png"):
        Image.new("RGB", (9, 7)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    return tmp_path


def test_pictures_that_are_named_give_paths(folder: Path) -> None:
    samples, matching = with_pictures(SAMPLES, [folder])
    assert [sample.path for sample in samples] == [folder / "a.png", folder / "b.png", None]
    assert matching is not None
    assert matching.notes() == [
        "1 annotated but not among the pictures: c",
        "1 among the pictures but not annotated: stranger.png",
    ]
    assert with_pictures(SAMPLES, None) == (SAMPLES, None)
    with pytest.raises(DataError, match="none of the 1 images"):
        with_pictures(SAMPLES, [folder / "stranger.png"])


def test_sizes_come_from_pictures_where_annotations_have_none(folder: Path) -> None:
    samples, _ = with_pictures([*SAMPLES[:2], replace(SAMPLES[2], image_size=(1, 2))], [folder])
    sized, errors = with_sizes(samples)
    assert [sample.image_size for sample in sized] == [(7, 9), None, (1, 2)]
    assert list(errors) == ["b"]
    pairs = [(sample.image, sample) for sample in samples]
    scores = Scores(pairs, Classes(("dog",), ("dog",)), [RunKey("file", None)], with_maps=False)
    add_sizes(scores)
    assert scores.truth.image_sizes.tolist() == [[7, 9], [0, 0], [1, 2]]
    assert scores.failures == []
