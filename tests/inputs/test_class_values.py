"""Class numbers in label maps."""

from __future__ import annotations

import pytest

from wsloc.errors import DataError
from wsloc.inputs.class_values import class_values
from wsloc.inputs.mask_classes import VOC_NAMES
from wsloc.records import Classes


def named(*names: str) -> Classes:
    return Classes(names, names)


def test_voc_classes_have_their_own_numbers() -> None:
    assert class_values(named("cat", "cow", "dog", "horse", "sheep")) == (8, 10, 12, 13, 17)
    assert class_values(named(*VOC_NAMES)) == tuple(range(1, 21))


def test_names_in_words_count_where_ids_are_machine_names() -> None:
    assert class_values(Classes(("n02121808", "n02084071"), ("cat", "dog"))) == (8, 12)


def test_names_are_told_however_they_are_written() -> None:
    assert class_values(named("TV/monitor", "potted plant", "Dining_Table")) == (20, 16, 11)
    assert class_values(named("cat", "Cat")) == (1, 2)  # not one class twice


def test_others_are_counted_from_one() -> None:
    assert class_values(named("cat", "axolotl")) == (1, 2)


def test_one_byte_holds_254_classes() -> None:
    many = [f"c{number}" for number in range(255)]
    assert class_values(named(*many[:254]))[-1] == 254
    with pytest.raises(DataError, match="at most 254 classes, not 255"):
        class_values(named(*many))
