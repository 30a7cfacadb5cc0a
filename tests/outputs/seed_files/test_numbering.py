from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.outputs.seed_files.examples import ANIMALS, PLAIN, VOC, WORDS, seeds
from wsloc.errors import OutputError
from wsloc.inputs.mask_classes import VOC_NAMES, read_mask_classes
from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.records import Classes

if TYPE_CHECKING:
    from pathlib import Path


def test_numbers_are_class_index_plus_one() -> None:
    assert (PLAIN.values, PLAIN.is_voc) == ((1, 2, 3), False)
    assert PLAIN.numbered(seeds()).tolist() == [[0, 1, 255], [3, 1, 0]]


def test_or_vocs_own_where_all_names_are_vocs() -> None:
    """Whatever their order, spelling and number."""
    assert (VOC.values, VOC.is_voc) == ((8, 11, 20), True)
    assert VOC.numbered(seeds()).tolist() == [[0, 8, 255], [20, 8, 0]]
    assert Numbering.of(Classes(VOC_NAMES, VOC_NAMES)).values == tuple(range(1, 21))
    by_id = Classes(("sheep", "cow"), ("Schaf", "Kuh"))
    assert Numbering.of(by_id).values == (17, 10)


@pytest.mark.parametrize("names", [("cat", "zebra"), ("cat", "Cat"), ("cat", "background")])
def test_one_foreign_name_is_enough_for_plain_numbers(names: tuple[str, ...]) -> None:
    found = Numbering.of(Classes(("x", "y"), names))
    assert (found.values, found.is_voc) == ((1, 2), False)


def test_bytes_do_not_hold_a_thousand_classes() -> None:
    ids = tuple(map(str, range(255)))
    largest = Numbering.of(Classes(ids[:254], ids[:254]))
    largest.require_bytes(["png", "gray"])
    too_many = Numbering.of(Classes(ids, ids))
    too_many.require_bytes([])
    with pytest.raises(
        OutputError, match="png and gray: a byte a pixel holds 254 classes, and the network has 255"
    ):
        too_many.require_bytes(["png", "gray"])


@pytest.mark.parametrize(("numbering", "classes"), [(PLAIN, WORDS), (VOC, ANIMALS)])
def test_classes_json_is_read_back(numbering: Numbering, classes: Classes, tmp_path: Path) -> None:
    numbering.write(tmp_path)
    found = read_mask_classes(tmp_path / "classes.json")
    assert tuple(entry.value for entry in found) == numbering.values
    assert tuple(entry.class_id for entry in found) == classes.ids
    assert tuple(entry.class_name for entry in found) == classes.names
    content = json.loads((tmp_path / "classes.json").read_text())
    assert (content["background"], content["ignore"]) == (0, 255)
    assert [entry["class_index"] for entry in content["classes"]] == [0, 1, 2]
    assert content["numbering"] == ("voc" if numbering.is_voc else "class_index + 1")
