from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.evaluation.example_data_set import write_data_set, write_kaggle, write_mask_set
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated, annotated_images
from wsloc.records import Classes

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


def test_masks_are_restricted_to_the_classes_of_the_network(tmp_path: Path) -> None:
    truth = write_mask_set(tmp_path / "truth", 4)
    samples = Annotated(truth).read()
    known = samples[0].labels[0]
    found = annotated_images(None, Annotated(truth), Classes((known, "x"), ("a", "b")))
    showing = [sample.image for sample in samples if known in sample.labels]
    assert [file.image for file in found.files] == [image for image, _ in found.matching.pairs] == showing
    assert {sample.labels for _, sample in found.matching.pairs} == {(known,)}
    assert found.notes[-1] == f"{4 - len(showing)} annotated images show none of the classes and are left out"
    with pytest.raises(DataError, match=r"and the network's \(goldfish\) have none in common"):
        annotated_images(None, Annotated(truth), Classes(("n1",), ("goldfish",)))


def test_boxes_are_left_to_the_scores_whatever_the_network_knows(data: Path) -> None:
    assert len(annotated_images(None, Annotated(data), Classes(("n1",), ("goldfish",))).files) == 3


def test_classes_that_are_asked_for(data: Path) -> None:
    labels = [sample.labels[0] for sample in Annotated(data).read()]
    (sample,) = Annotated(data, classes=(labels[1].upper(),)).read()
    assert sample.labels == (labels[1],)
    with pytest.raises(DataError, match="no image is labelled goldfish"):
        Annotated(data, classes=("goldfish",)).read()
