from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from wsloc.errors import DataError
from wsloc.inputs.class_labels import labels_by_image, read_labels, resolve_choice, resolve_class
from wsloc.records import Classes

if TYPE_CHECKING:
    from pathlib import Path

BIRDS = Classes(
    ("n01", "n02", "n03", "n04"),
    ("goldfish", "crane", "crane", "Great White Shark"),
)
DIGITS = Classes(("1", "10", "2"), ("one", "ten", "two"))


@pytest.mark.parametrize(
    ("label", "index"),
    [
        ("n02", 1),
        ("N03", 2),
        ("goldfish", 0),
        (" Goldfish ", 0),
        ("great white shark", 3),
        ("3", 3),
        (3, 3),
        (0, 0),
    ],
)
def test_a_class_is_called_by_id_name_or_index(label: str | int, index: int) -> None:
    assert resolve_class(label, BIRDS) == index


@pytest.mark.parametrize(("label", "index"), [("1", 0), ("2", 2), ("10", 1), ("0", 0), (1, 1), (2, 2)])
def test_ids_come_before_indices_unless_it_is_an_int(label: str | int, index: int) -> None:
    assert resolve_class(label, DIGITS) == index


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("crane", r"several classes are called 'crane': name one of n02 \(index 1\), n03 \(index 2\)"),
        ("GOLDFISCH", r"no class 'GOLDFISCH' among the network's 4 classes: did you mean goldfish\?"),
        ("4", "indices run from 0 to 3"),
        (-1, "indices run from 0 to 3"),
        (3_000, "indices run from 0 to 3"),
        ("", "they are goldfish, crane, crane, Great White Shark$"),
        ("zzz", "they are goldfish, crane, crane, Great White Shark$"),
    ],
)
def test_an_unknown_class_is_answered_with_what_it_may_be(label: str | int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resolve_class(label, BIRDS)


def test_many_classes_are_not_all_listed() -> None:
    many = Classes(tuple(f"n{index}" for index in range(50)), tuple(f"name {index}" for index in range(50)))
    with pytest.raises(DataError, match=r"they are name 0, .*, name 7, \.\.\.$"):
        resolve_class("zzz", many)


def test_choices() -> None:
    assert resolve_choice("top1", BIRDS) == 1
    assert resolve_choice(["top5"], BIRDS) == 5
    assert resolve_choice("goldfish", BIRDS) == (0,)
    assert resolve_choice(2, BIRDS) == (2,)
    assert resolve_choice(np.int64(2), BIRDS) == (2,)  # type: ignore[arg-type]  # it is no int
    assert resolve_choice(np.arange(2), BIRDS) == (0, 1)  # type: ignore[arg-type]  # nor is this a sequence
    assert resolve_choice(("n04", "goldfish", "3"), BIRDS) == (3, 0)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["top1", "goldfish"], "top1 stands alone"),
        (["goldfish", "top5"], "top5 stands alone"),
        ([], "no class is named"),
        (["cod"], "no class 'cod'"),
        (1.5, r"an index, a name, or a list of these, not 1\.5"),
        ([1.5], r"no class '1\.5'"),
        (None, "an index, a name, or a list of these, not None"),
    ],
)
def test_choices_that_make_no_sense(wanted: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        resolve_choice(wanted, BIRDS)


def test_labels_come_from_a_csv_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("image,label\na/1.jpg,goldfish;n02;0\n2.jpg,3\n")
    labels = read_labels(path, BIRDS)
    assert labels == {"a/1.jpg": (0, 1), "2.jpg": (3,)}
    assert labels_by_image(["a/1.jpg", "b/2.jpg", "1.jpg"], labels) == {"a/1.jpg": (0, 1), "b/2.jpg": (3,)}


def test_a_bare_name_is_not_shared() -> None:
    labels = {"x.jpg": (1,), "b/y.jpg": (2,)}
    assert labels_by_image(["a/x.jpg", "a/y.jpg"], labels) == {"a/x.jpg": (1,)}
    assert labels_by_image(["a/x.jpg", "b/x.jpg", "b/y.jpg"], labels) == {"b/y.jpg": (2,)}
    assert labels_by_image(["a/x.jpg", "x.jpg"], labels) == {"x.jpg": (1,)}


def test_labels_come_from_tiny_imagenets_list_without_its_pictures(tmp_path: Path) -> None:
    path = tmp_path / "val_annotations.txt"
    path.write_text("val_0.JPEG\tn03\t0\t0\t9\t9\n")
    labels = read_labels(path, BIRDS)
    assert labels_by_image(["images/val_0.JPEG"], labels) == {"images/val_0.JPEG": (2,)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such labels file"),
        ("a.jpg,goldfish\n", r"labels\.csv:1: expected the header `image,label`"),
        ("image,label\na.jpg\n", r"labels\.csv:2: expected an image and at least one label"),
        ("image,label\na.jpg,cod\n", r"labels\.csv: a\.jpg: no class 'cod'"),
    ],
)
def test_labels_that_cannot_be_read(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "labels.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_labels(path, BIRDS)


def test_thousands_of_digits_are_no_index() -> None:
    with pytest.raises(DataError, match="indices run from 0 to 3"):
        resolve_class("9" * 5000, BIRDS)
