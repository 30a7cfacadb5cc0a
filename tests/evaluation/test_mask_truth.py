from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.evaluation.mask_truth import MaskTruth
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path

NUMBERING = ((8, "cat"), (12, "dog"), (15, ""))


def sample(folder: Path, values: list[int]) -> Sample:
    path = folder / "a.png"
    Image.fromarray(np.array([values], np.uint8)).save(path)
    return Sample("a", None, ("dog",), masks=(path,), mask_labels=NUMBERING)


def test_masks_in_the_numbers_that_are_scored(tmp_path: Path) -> None:
    found = sample(tmp_path, [0, 8, 12, 15, 255])
    truth = MaskTruth.of([Sample("b", None, ("cat",)), found], {"cat": 7, "dog": 2})
    assert truth is not None
    assert truth.class_indices == (2, 7)
    assert (truth.number(2), truth.number(7), truth.number(3)) == (1, 2, None)
    assert truth.read(found).tolist() == [[0, 2, 1, 0, 255]]


def test_classes_that_are_not_known_are_background(tmp_path: Path) -> None:
    found = sample(tmp_path, [0, 8, 12, 15, 255])
    truth = MaskTruth.of([found], {"dog": 0})
    assert truth is not None
    assert truth.read(found).tolist() == [[0, 0, 1, 0, 255]]
    wider = MaskTruth.of([found], {"dog": 1}, scored=range(3))
    assert wider is not None
    assert wider.class_indices == (0, 1, 2)
    assert wider.read(found).tolist() == [[0, 0, 2, 0, 255]]


def test_values_of_no_class_are_an_error(tmp_path: Path) -> None:
    found = sample(tmp_path, [0, 77])
    truth = MaskTruth.of([found], {"dog": 0})
    assert truth is not None
    with pytest.raises(DataError, match=r"a\.png: holds the value 77"):
        truth.read(found)


def test_there_is_nothing_to_read_without_numbered_masks(tmp_path: Path) -> None:
    unnumbered = Sample("a", None, ("dog",), masks=(tmp_path / "a.png",))
    assert MaskTruth.of([unnumbered], {"dog": 0}) is None
    assert MaskTruth.of([sample(tmp_path, [0])], {"cow": 0}) is None
