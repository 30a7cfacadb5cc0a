"""Masks, boxes and saliency of some of the training images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError, TrainingError
from wsloc.inputs.extra_supervision import ExtraSample, ExtraSource, extra_record, find_extra
from wsloc.records import Classes, Sample

CLASSES = Classes(("cat", "dog"), ("cat", "dog"))  # 8 and 12 in VOC's masks
SIZE = (6, 8)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Ten images, the last with both labels."""
    found = []
    for number in range(10):
        path = tmp_path / "images" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", SIZE[::-1], "gray").save(path)
        labels = ("dog", "cat") if number == 9 else (CLASSES.ids[number % 2],)
        found.append(Sample(f"images/{number}.jpg", path, labels))
    return found


def save_masks(folder: Path, numbers: range, values: np.ndarray | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    if values is None:
        values = np.zeros(SIZE, np.uint8)
        values[:2], values[2:4], values[5] = 8, 12, 255
    for number in numbers:
        Image.fromarray(values).save(folder / f"{number}.png")
    return folder


def save_boxes(path: Path, numbers: range, label: str = "cat") -> Path:
    path.mkdir(exist_ok=True)
    for number in numbers:
        (path / f"{number}.xml").write_text(
            f"<annotation><filename>{number}.jpg</filename><size><width>8</width><height>6</height></size>"
            f"<object><name>{label}</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>4</xmax><ymax>3</ymax></bndbox>"
            "</object></annotation>"
        )
    return path


def test_masks_are_found_by_the_images_names(samples: list[Sample], tmp_path: Path) -> None:
    masks = save_masks(tmp_path / "masks", range(3, 10))
    found = find_extra(samples, CLASSES, ExtraSource(masks))
    assert [extra.sample.image for extra in found] == [f"images/{number}.jpg" for number in range(3, 10)]
    assert found[0].class_index == (1,)
    assert found[-1].class_index == (1, 0)  # as its labels stand


def test_a_mask_under_the_whole_id_goes_first(samples: list[Sample], tmp_path: Path) -> None:
    masks = save_masks(tmp_path / "masks", range(1))
    own = save_masks(masks / "images", range(1))
    (extra,) = find_extra(samples, CLASSES, ExtraSource(masks))
    assert extra.mask == own / "0.png"


def test_regions_of_a_mask(samples: list[Sample], tmp_path: Path) -> None:
    masks = save_masks(tmp_path / "masks", range(9, 10))
    (extra,) = find_extra(samples, CLASSES, ExtraSource(masks))
    expected = np.zeros((2, *SIZE), np.uint8)
    expected[0, 2:4] = 1  # dog
    expected[1, :2] = 1  # cat
    expected[:, 5] = 255
    np.testing.assert_array_equal(extra.regions(SIZE), expected)
    np.testing.assert_array_equal(extra.salient(SIZE), np.full(SIZE, 255))


def test_regions_of_boxes_cover_every_pixel_that_they_touch() -> None:
    sample = Sample("a.jpg", None, ("cat",))
    boxes = ((0, (1.5, 0.0, 4.0, 2.2)), (0, (7.0, 5.0, 9.0, 6.0)), (1, (-1.0, 4.0, 1.0, 5.0)))
    extra = ExtraSample(sample, (), None, boxes)
    assert extra.class_index == (0, 1)
    expected = np.zeros((2, *SIZE), np.uint8)
    expected[0, :3, 1:4] = 1
    expected[0, 5, 7] = 1
    expected[1, 4, 0] = 1
    np.testing.assert_array_equal(extra.regions(SIZE), expected)


def test_boxes_of_other_classes_are_passed_over(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(4))  # of a cat in each; 1 and 3 are labelled dog
    found = find_extra(samples, CLASSES, ExtraSource(boxes=boxes))
    assert [extra.sample.image for extra in found] == ["images/0.jpg", "images/2.jpg"]
    assert found[0].boxes == ((0, (1.0, 0.0, 4.0, 3.0)),)


def test_saliency_goes_with_boxes(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(1))
    shade = np.arange(48, dtype=np.uint8).reshape(SIZE)
    salient = save_masks(tmp_path / "saliency", range(1), shade)
    (extra,) = find_extra(samples, CLASSES, ExtraSource(boxes=boxes, saliency=salient))
    np.testing.assert_array_equal(extra.salient(SIZE), shade)


def test_a_fraction_is_of_the_training_images_and_depends_on_the_seed(
    samples: list[Sample], tmp_path: Path
) -> None:
    source = ExtraSource(save_masks(tmp_path / "masks", range(10)), fraction=0.3)
    found = [
        [extra.sample.image for extra in find_extra(samples, CLASSES, source, seed)] for seed in (0, 0, 1)
    ]
    assert len(found[0]) == 3
    assert found[0] == found[1] == sorted(found[0])
    assert found[0] != found[2]
    assert len(find_extra(samples, CLASSES, ExtraSource(source.masks, fraction=0.001))) == 1


def test_mixed_supervision_is_half_and_half(samples: list[Sample], tmp_path: Path) -> None:
    masks, boxes = save_masks(tmp_path / "masks", range(10)), tmp_path / "boxes"
    for number, sample in enumerate(samples):
        save_boxes(boxes, range(number, number + 1), sample.labels[0])
    found = find_extra(samples, CLASSES, ExtraSource(masks, boxes))
    assert [extra.mask is None for extra in found].count(True) == 5
    record = extra_record(found, 4)
    assert (record["extra_masks"], record["extra_boxes"], record["extra_per_step"]) == (5, 5, 4)
    assert record != extra_record(found[:-1], 4)
    assert set(extra_record([], 4).values()) == {None}
    assert set(extra_record([], 4)) == set(record)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "masks or boxes: give one"),
        ({"masks": Path(), "saliency": Path()}, "saliency goes with boxes"),
        ({"masks": Path(), "fraction": 0.0}, r"\(--extra-fraction\) is above 0 and at most 1, not 0.0"),
        ({"masks": Path(), "fraction": float("nan")}, "not nan"),
        ({"masks": Path(), "per_step": 0}, "at least one image"),
    ],
    ids=str,
)
def test_sources_that_make_no_sense_are_refused(source: dict[str, Path], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        ExtraSource(**source)  # type: ignore[arg-type]  # on purpose


def test_places_without_anything_are_named(samples: list[Sample], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    with pytest.raises(DataError, match="empty is no folder"):
        find_extra(samples, CLASSES, ExtraSource(empty))
    empty.mkdir()
    with pytest.raises(DataError, match=r"empty: holds nothing of the training images.*`images/0.jpg`"):
        find_extra(samples, CLASSES, ExtraSource(empty))
    csv = tmp_path / "labels.csv"
    csv.write_text("image,label\nimages/0.jpg,cat\n")
    with pytest.raises(DataError, match=r"labels\.csv: these annotations hold no boxes"):
        find_extra(samples, CLASSES, ExtraSource(boxes=csv))


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    sample = Sample("a.jpg", None, ("cat",))
    small, broken = tmp_path / "small.png", tmp_path / "broken.png"
    Image.new("L", (3, 2)).save(small)
    broken.write_bytes(b"no picture")
    for extra in (ExtraSample(sample, ((0, 1),), small), ExtraSample(sample, (), None, (), small)):
        with pytest.raises(DataError, match=r"small.png is 3 x 2 pixels, its picture 8 x 6"):
            _ = extra.regions(SIZE) if extra.mask else extra.salient(SIZE)
    for extra in (ExtraSample(sample, ((0, 1),), broken), ExtraSample(sample, (), None, (), broken)):
        with pytest.raises(DataError, match=r"the (mask|saliency map) .*broken.png: "):
            _ = extra.regions(SIZE) if extra.mask else extra.salient(SIZE)


def test_a_list_of_values_beside_the_masks_is_followed(samples: list[Sample], tmp_path: Path) -> None:
    masks = save_masks(tmp_path / "masks", range(10))
    entries = [{"value": 12, "class_id": "cat"}, {"value": 8, "class_id": "dog"}]  # not as VOC has them
    (masks / "classes.json").write_text(json.dumps({"classes": entries}))
    found = find_extra(samples, CLASSES, ExtraSource(masks))
    assert found[9].values == ((1, 8), (0, 12))
    (masks / "classes.json").write_text(json.dumps({"classes": entries[:1]}))
    with pytest.raises(DataError, match="has no value for the class dog"):
        find_extra(samples, CLASSES, ExtraSource(masks))


def test_saliency_that_pillow_stumbles_over_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + b"\x7f" * 8)
    sample = ExtraSample(Sample("a.jpg", None, ("cat",)), (), None, ((0, (0, 0, 2, 2)),), path)
    with pytest.raises(DataError, match=r"the saliency map .*a\.png: "):
        sample.salient(SIZE)


def test_masks_of_another_numbering_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    values = np.zeros(SIZE, np.uint8)
    values[:2], values[5] = 1, 255
    masks = save_masks(tmp_path / "masks", range(9), values)
    with pytest.raises(
        DataError, match=r"masks/0\.png: holds the values 0, 1, 255, .* labels are 8 in masks"
    ) as error:
        find_extra(samples, CLASSES, ExtraSource(masks))
    assert "write a classes.json beside the masks" in str(error.value)
    save_masks(masks, range(9, 10))  # one that shows its classes: an object may be missing in the others
    assert len(find_extra(samples, CLASSES, ExtraSource(masks))) == 10


def test_boxes_of_no_labelled_class_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(4), "unicorn")
    with pytest.raises(
        DataError, match=r"boxes: holds no box of a class .* like `unicorn`, labels like `cat`"
    ):
        find_extra(samples, CLASSES, ExtraSource(boxes=boxes))


def test_boxes_of_other_images_are_refused_by_their_files_name(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(20, 22))
    with pytest.raises(DataError, match=r"boxes: none of the 10 images is among the 2 annotated ones"):
        find_extra(samples, CLASSES, ExtraSource(boxes=boxes))


def test_a_fraction_is_of_images_whose_boxes_can_be_used(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(10))  # of a cat in each; five are labelled so, and the last
    assert len(find_extra(samples, CLASSES, ExtraSource(boxes=boxes, fraction=0.6))) == 6


def test_boxes_of_a_picture_of_another_size_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    extra, *_ = find_extra(samples, CLASSES, ExtraSource(boxes=save_boxes(tmp_path / "boxes", range(1))))
    assert extra.regions(SIZE).any()
    with pytest.raises(
        DataError, match=r"0\.jpg: the picture that its boxes are of is 8 x 6 .* its picture 4 x 3"
    ):
        extra.regions((3, 4))


def test_saliency_of_no_image_with_boxes_is_refused(samples: list[Sample], tmp_path: Path) -> None:
    boxes = save_boxes(tmp_path / "boxes", range(0, 4, 2))
    salient = save_masks(tmp_path / "saliency", range(5, 8))
    with pytest.raises(
        DataError, match=r"saliency: holds no saliency map of an image with boxes.*images/0\.jpg"
    ):
        find_extra(samples, CLASSES, ExtraSource(boxes=boxes, saliency=salient))
