"""VOC's kit: corners counted from 1, splits, masks, and every malformed case named by its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.inputs.annotations import voc
from wsloc.inputs.mask_classes import VOC_CLASSES
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OBJECTS = (("dog", (1, 1, 500, 375)), ("person", ("45.5", 2, "46.5", 3)), ("dog", (10, 10, 10, 10)))


@pytest.fixture
def kit(tmp_path: Path, make_xml: Callable[..., str]) -> Path:
    """Two annotated images, the second one with a mask and in the list of a split."""
    root = tmp_path / "VOCdevkit/VOC2012"
    for folder in (
        "Annotations",
        "JPEGImages",
        "SegmentationClass",
        "ImageSets/Segmentation",
        "ImageSets/Main",
    ):
        (root / folder).mkdir(parents=True)
    for stem in ("2007_000032", "2007_000039"):
        (root / f"Annotations/{stem}.xml").write_text(make_xml(f"{stem}.jpg", OBJECTS))
    (root / "SegmentationClass/2007_000039.png").touch()
    (root / "ImageSets/Segmentation/val.txt").write_text("2007_000039\n")
    (root / "ImageSets/Main/dog_val.txt").write_text("2007_000039 -1\n2007_000032  1\n")
    return root


def sample(kit: Path, stem: str, *masks: Path) -> Sample:
    dog, person, second = (0, 0, 500, 375), (44.5, 1, 46.5, 3), (9, 9, 10, 10)
    boxes = (("dog", dog), ("person", person), ("dog", second))
    path = kit / f"JPEGImages/{stem}.jpg"
    numbering = tuple((entry.value, entry.class_id) for entry in VOC_CLASSES) if masks else ()
    return Sample(f"{stem}.jpg", path, ("dog", "person"), (375, 500), boxes, masks, numbering)


def test_samples(kit: Path) -> None:
    first = sample(kit, "2007_000032")
    second = sample(kit, "2007_000039", kit / "SegmentationClass/2007_000039.png")
    for root in (kit, kit.parent, kit / "Annotations"):
        assert voc.matches(root)
        assert voc.read(root) == [first, second]
    for name, expected in (("Segmentation/val.txt", second), ("Main/dog_val.txt", first)):
        assert voc.matches(kit / "ImageSets" / name)
        assert voc.read(kit / "ImageSets" / name) == [expected]


def test_masks_of_other_objects_are_numbered_by_a_file_or_not_at_all(
    kit: Path, make_xml: Callable[..., str]
) -> None:
    path = kit / "Annotations/2007_000039.xml"
    path.write_text(make_xml("2007_000039.jpg", (("zebra", (1, 1, 2, 2)),)))
    assert voc.read(kit)[1].mask_labels == ()
    (kit / "classes.json").write_text('{"classes": [{"value": 7, "class_id": "zebra"}]}')
    assert voc.read(kit)[1].mask_labels == ((7, "zebra"),)


def test_lists_with_paths_and_repeated_rows(kit: Path) -> None:
    path = kit / "ImageSets/Segmentation/train_aug.txt"
    path.write_text("/JPEGImages/2007_000039.jpg /SegmentationClass/2007_000039.png\n2007_000039 1\n")
    assert [sample.image for sample in voc.read(path)] == ["2007_000039.jpg"]


def test_xml_beside_no_pictures(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    (tmp_path / "a.xml").write_text(make_xml("", (("dog", (1, 2, 3, 4)),), size=None))
    for root in (tmp_path, tmp_path / "a.xml"):
        assert voc.matches(root)
        assert voc.read(root) == [Sample("a.jpg", None, ("dog",), boxes=(("dog", (0, 1, 3, 4)),))]


def test_several_kits_must_be_told_apart(kit: Path) -> None:
    (kit.parent / "VOC2007/Annotations").mkdir(parents=True)
    assert not voc.matches(kit.parent)
    assert voc.matches(kit)


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ((0, 1, 5, 5), r"the box `0 1 5 5` reaches out of the image \(500 x 375 pixels, counted from 1\)"),
        ((1, 1, 502, 5), "reaches out of the image"),
        ((9, 1, 5, 5), "ends before it begins"),
        (("nan", 1, 5, 5), "not finite"),
        (("", 1, 5, 5), "its <bndbox> has no <xmin>"),
    ],
)
def test_malformed_boxes(
    kit: Path, make_xml: Callable[..., str], corners: tuple[object, ...], reason: str
) -> None:
    path = kit / "Annotations/2007_000039.xml"
    path.write_text(make_xml("2007_000039.jpg", (("dog", (1, 1, 2, 2)), ("cat", corners))))
    with pytest.raises(DataError, match=rf"2007_000039\.xml: object 2 \(cat\).*{reason}"):
        voc.read(kit)


def test_malformed_kits(kit: Path, make_xml: Callable[..., str], tmp_path: Path) -> None:
    listed = kit / "ImageSets/Segmentation/val.txt"
    listed.write_text("2007_000039\n2007_000040\n")
    with pytest.raises(
        DataError, match=r"val\.txt:2: 2007_000040 has no annotation: .*2007_000040\.xml is not"
    ):
        voc.read(listed)
    listed.write_text("\n")
    with pytest.raises(DataError, match=r"val\.txt: holds no images"):
        voc.read(listed)
    (kit / "Annotations/twin.xml").write_text(make_xml("2007_000039.jpg", ()))
    with pytest.raises(DataError, match=r"twin\.xml: another file is for 2007_000039\.jpg already"):
        voc.read(kit)
    (kit / "Annotations/2007_000032.xml").write_text("<annotation>")
    with pytest.raises(DataError, match=r"2007_000032\.xml:1: no well-formed XML"):
        voc.read(kit)
    (tmp_path / "empty").mkdir()
    assert not voc.matches(tmp_path / "empty")
    with pytest.raises(DataError, match="empty: no XML annotations in it"):
        voc.read(tmp_path / "empty")


def test_real_kit(real_data: Callable[[str], Path]) -> None:
    root = real_data("voc-2007-train")
    samples = voc.read(root)
    assert samples == voc.read(root / "ImageSets/Segmentation/train.txt")
    assert (len(samples), sum(len(sample.boxes) for sample in samples)) == (311, 899)
    assert len({label for sample in samples for label in sample.labels}) == 20
    for entry in samples[:5]:
        assert entry.path is not None
        with Image.open(entry.path) as picture, Image.open(entry.masks[0]) as mask:
            assert entry.image_size == (picture.height, picture.width)
            # The boxes together hold all but the ragged edges of the objects.
            inside = np.zeros(entry.image_size, dtype=bool)
            for _, (x0, y0, x1, y1) in entry.boxes:
                inside[int(y0) : int(y1), int(x0) : int(x1)] = True
            indices = np.asarray(mask)
            objects = (indices > 0) & (indices < 255)
            assert (objects & inside).sum() > 0.95 * objects.sum() > 0
