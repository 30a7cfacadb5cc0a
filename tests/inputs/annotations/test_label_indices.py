"""Labels of annotations among a network's classes: wnids, indices and words, and what is missing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import tiny_imagenet
from wsloc.inputs.annotations.label_indices import resolve_labels
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.records import Classes, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLASSES = Classes(("n01", "n02", "n03", "n04"), ("tench", "potted plant", "crane", "crane"))


def samples(*labels: str) -> list[Sample]:
    return [Sample(str(number), None, (label,)) for number, label in enumerate(labels)]


def test_ids_indices_and_words() -> None:
    labels = ("n02", "0", "Tench", "potted plant", "N03", "n02", "3")
    expected = {"n02": 1, "0": 0, "Tench": 0, "potted plant": 1, "N03": 2, "3": 3}
    assert resolve_labels(samples(*labels), CLASSES) == expected
    assert list(resolve_labels(samples(*labels), CLASSES)) == list(expected)
    assert resolve_labels([], CLASSES) == {}


def test_boxes_have_labels_too() -> None:
    sample = Sample("a", None, ("n01",), boxes=(("n04", (0, 0, 1, 1)),))
    assert resolve_labels([sample], CLASSES) == {"n01": 0, "n04": 3}


def test_a_class_called_by_a_number_goes_before_the_index() -> None:
    folders = Classes(("0", "1", "10", "2"), ("0", "1", "10", "2"))
    assert resolve_labels(samples("10", "2", "3"), folders) == {"10": 2, "2": 3, "3": 3}


def test_one_label_is_missing() -> None:
    with pytest.raises(
        DataError, match=r"no class 'tensh' among the network's 4 classes: did you mean tench\?"
    ):
        resolve_labels(samples("n01", "tensh"), CLASSES)


def test_many_labels_are_missing() -> None:
    with pytest.raises(DataError) as caught:
        resolve_labels(samples("n01", "4", *(f"class {number}" for number in range(7)), "4"), CLASSES)
    assert str(caught.value) == (
        "8 of the annotations' 9 classes are not among the network's 4: 4, class 0, class 1, class 2, class 3 "
        "and 3 more; the network's are n01 (tench), n02 (potted plant), n03 (crane), n04 (crane)"
    )


def test_a_name_of_several_classes() -> None:
    with pytest.raises(
        DataError, match=r"several classes are called 'crane': name one of n03 \(index 2\), n04"
    ):
        resolve_labels(samples("crane"), CLASSES)


def test_a_thousand_classes_take_little_time() -> None:
    classes = imagenet_classes()
    start = time.process_time()
    found = resolve_labels(samples(*classes.ids * 50), classes)
    assert time.process_time() - start < 2
    assert list(found.values()) == list(range(1000))
    start = time.process_time()
    with pytest.raises(DataError, match="1,000 of the annotations' 1,000 classes are not"):
        resolve_labels(samples(*(f"n{number}" for number in range(1000))), classes)
    assert time.process_time() - start < 2


def test_real_wnids(real_data: Callable[[str], Path]) -> None:
    found = resolve_labels(tiny_imagenet.read(real_data("tiny-imagenet-20/val")), imagenet_classes())
    assert len(found) == 20
    assert all(imagenet_classes().ids[index] == wnid for wnid, index in found.items())


def test_a_label_of_thousands_of_digits_is_no_index() -> None:
    with pytest.raises(DataError, match="2 of the annotations' 2 classes are not among"):
        resolve_labels(samples("9" * 5000, "8" * 5000), CLASSES)
