from __future__ import annotations

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations.restricting import only_classes, restricted
from wsloc.records import Box, Sample

BOX: Box = (0.0, 0.0, 2.0, 2.0)
NUMBERING = ((8, "cat"), (12, "dog"), (15, "person"), (18, "sofa"))
SAMPLES = [
    Sample("a", None, ("cat", "sofa"), boxes=(("cat", BOX), ("sofa", BOX)), mask_labels=NUMBERING),
    Sample("b", None, ("sofa",), mask_labels=NUMBERING),
    Sample("c", None, ("dog",)),
]


def test_other_objects_become_background() -> None:
    found = restricted(SAMPLES, {"cat", "dog"}.__contains__)
    assert [sample.image for sample in found.samples] == ["a", "c"]
    first = found.samples[0]
    assert first.labels == ("cat",)
    assert first.boxes == (("cat", BOX),)
    assert first.mask_labels == ((8, "cat"), (12, "dog"), (15, ""), (18, ""))
    assert found.samples[1] == SAMPLES[2]


def test_what_is_left_out_is_said() -> None:
    found = restricted(SAMPLES, {"cat", "dog"}.__contains__)
    assert (found.other_labels, found.without) == (("sofa",), 1)
    assert found.notes() == [
        "classes of the annotations that count as background (1): sofa",
        "1 annotated images show none of the classes and are left out",
    ]


def test_nothing_changes_where_everything_is_wanted() -> None:
    found = restricted(SAMPLES, bool)
    assert found.samples == SAMPLES
    assert found.notes() == []


def test_classes_are_called_by_their_labels() -> None:
    assert [sample.image for sample in only_classes(SAMPLES, ["Cat", " sofa"], "voc")] == ["a", "b"]
    with pytest.raises(DataError, match=r"voc: no image is labelled cta: its labels are cat, dog, sofa"):
        only_classes(SAMPLES, ["cta"], "voc")
