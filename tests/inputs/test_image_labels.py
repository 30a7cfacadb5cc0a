from __future__ import annotations

import pytest

from wsloc.errors import DataError
from wsloc.inputs.image_labels import ImageLabels, labels_of_images
from wsloc.records import Classes, Sample

CLASSES = Classes(("n01", "n02", "n03"), ("star", "donut", "fish"))


def sample(image: str, *labels: str) -> Sample:
    return Sample(image, None, labels)


def found(samples: list[Sample], images: list[str], *, others_allowed: bool = False) -> ImageLabels:
    return labels_of_images(samples, images, CLASSES, "labels.csv", others_allowed=others_allowed)


def test_labels_by_id_name_or_index_for_names_that_are_forgiven() -> None:
    samples = [sample("/data/A.JPEG", "fish", "n01", "Star"), sample("b", "1")]
    assert found(samples, ["a.jpg", "sub/b.png"]) == ImageLabels({"a.jpg": (0, 2), "sub/b.png": (1,)})


def test_both_sides_may_have_more() -> None:
    labels = found(
        [sample("a.jpg", "fish"), sample("x.jpg", "star"), sample("y.jpg", "star")], ["a.jpg", "b.jpg"]
    )
    assert labels.by_image == {"a.jpg": (2,)}
    assert labels.errors == {"b.jpg": "b.jpg: labels.csv has no label for it"}
    assert labels.notes == ("labels.csv: labels of 2 images that are not among those given: x.jpg, y.jpg",)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(DataError, match=r"^labels\.csv: none of the 1 images is among the 1 annotated ones"):
        found([sample("a.jpg", "fish")], ["b.jpg"])


def test_a_label_of_no_class_is_an_error_where_all_must_be_known() -> None:
    with pytest.raises(DataError, match=r"labels\.csv: a\.jpg: no class 'fsh'.*did you mean fish"):
        found([sample("a.jpg", "fsh")], ["a.jpg"])


def test_or_left_out_and_said_where_a_data_set_has_other_objects() -> None:
    samples = [
        sample("a.jpg", "fish", "person"),
        sample("b.jpg", "person", "car"),
        sample("c.jpg"),
        sample("d.jpg", "7"),
    ]
    labels = found(samples, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], others_allowed=True)
    assert labels.by_image == {"a.jpg": (2,)}
    assert labels.errors == {
        "b.jpg": "b.jpg: none of its labels (person, car) is a class of the network",
        "c.jpg": "c.jpg: labels.csv has no label for it",
        "d.jpg": "d.jpg: none of its labels (7) is a class of the network",
    }
    assert labels.notes == (
        "labels.csv: labels that are no class of the network, left out (images): person (2), car (1), 7 (1)",
    )


def test_a_name_of_two_classes_is_an_error_in_any_case() -> None:
    twins = Classes(("n01", "n02"), ("crane", "crane"))
    with pytest.raises(DataError, match="several classes are called 'crane'"):
        labels_of_images([sample("a", "crane")], ["a"], twins, "x", others_allowed=True)


def test_thousands_of_digits_are_no_index() -> None:
    assert found([sample("a.jpg", "9" * 5000, "star")], ["a.jpg"], others_allowed=True).by_image == {
        "a.jpg": (0,)
    }
