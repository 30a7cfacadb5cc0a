from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.evaluation.example_data_set import write_data_set, write_kaggle
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated, annotated_images

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data_set(tmp_path / "val", count=3)


def test_the_pictures_that_the_annotations_name(data: Path) -> None:
    found = annotated_images(None, Annotated(data))
    files, matching = found.files, found.matching
    assert [file.path for file in files] == [data / "images" / f"{number}.png" for number in range(3)]
    assert [image for image, _ in matching.pairs] == [file.image for file in files]
    assert matching.notes() == []


def test_pictures_that_are_given_are_the_ones_to_show(data: Path, tmp_path: Path) -> None:
    table = write_kaggle(tmp_path / "kaggle.csv", data)
    given = [data / "images" / "2.png", data / "images" / "0.png"]
    found = annotated_images(given, Annotated(table))
    files, matching = found.files, found.matching
    assert [file.path for file in files] == given
    assert [(image, sample.image, sample.path) for image, sample in matching.pairs] == [
        ("2.png", "2", given[0]),
        ("0.png", "0", given[1]),
    ]
    assert matching.unmatched_samples == ("1",)


def test_what_is_missing_is_named_with_its_option(data: Path, tmp_path: Path) -> None:
    table = write_kaggle(tmp_path / "kaggle.csv", data)
    with pytest.raises(DataError, match=r"kaggle\.csv: its annotations name no pictures: .* as IMAGES"):
        annotated_images(None, Annotated(table))
    with pytest.raises(DataError, match="as --tune-images"):
        annotated_images(None, Annotated(table), option="--tune-images")


def test_a_blacklist_and_a_set_without_labels(data: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("1.png\n")
    ids = ["0.png", "1.png"]
    assert Annotated(data, blacklist=tmp_path / "list.txt").listed(ids) == {"1.png"}
    assert Annotated(data).listed(ids) == frozenset()
    (tmp_path / "labels.csv").write_text("image,label\n0.png,\n")
    with pytest.raises(DataError, match="label"):
        Annotated(tmp_path / "labels.csv").read()
