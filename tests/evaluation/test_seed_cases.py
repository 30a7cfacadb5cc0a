from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests.evaluation.example_seeds import CLASSES, scored
from wsloc.evaluation.seed_cases import CASES, seed_cases

if TYPE_CHECKING:
    from pathlib import Path


def test_a_small_set_is_shown_once_each(tmp_path: Path) -> None:
    cases = seed_cases(scored(tmp_path), CLASSES)
    assert [(case.kind, case.image, case.class_name) for case in cases] == [
        ("best", "a", "cat"),
        ("median", "b", "cat, dog"),
    ]
    assert all(case.words and case.predicted is None for case in cases)
    assert cases[0].picture is not None
    assert cases[0].image_size == (cases[0].picture.height, cases[0].picture.width)


def test_of_many_the_best_and_the_worst_in_order(tmp_path: Path) -> None:
    scores = scored(tmp_path)
    one = scores.images[0]
    scores.images = [replace(one, miou=value) for value in np.random.default_rng(0).permutation(30) / 30]
    scores.images.append(replace(one, miou=float("nan"), classes=()))
    cases = seed_cases(scores, CLASSES)
    found = {kind: [case.iou for case in cases if case.kind == kind] for kind in ("best", "median", "worst")}
    assert found["best"] == [(29 - place) / 30 for place in range(CASES)]
    assert found["worst"] == [place / 30 for place in range(CASES)]
    assert found["median"] == [(17 - place) / 30 for place in range(CASES)]


def test_the_photograph_lies_under_the_masks(tmp_path: Path) -> None:
    scores = scored(tmp_path)
    Image.new("RGB", (4, 2), (0, 0, 250)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    for place, name in enumerate("ab"):
        image = scores.images[place]
        scores.images[place] = replace(image, sample=replace(image.sample, path=tmp_path / f"{name}.png"))
    first, second = (case.picture for case in seed_cases(scores, CLASSES))
    assert first is not None
    assert second is not None  # without its photograph
    assert first.getpixel((0, 0)) == (0, 0, 250)  # background on both sides
    assert second.getpixel((0, 0)) != (0, 0, 250)
