from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.inputs.annotations import mask_folder
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.mask_classes import VOC_CLASSES
from wsloc.inputs.masks import voc_palette

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MASKS = {
    "one": ([[0, 12, 255]], ("dog",)),
    "sub/two": ([[8, 12], [0, 0]], ("cat", "dog")),
    "none": ([[0]], ()),
}


def write_mask(path: Path, values: Sequence[Sequence[int]], *, coloured: bool = True) -> None:
    picture = Image.fromarray(np.array(values, np.uint8))
    if coloured:
        picture = picture.convert("P")
        picture.putpalette(voc_palette())
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, (values, _) in MASKS.items():
        write_mask(tmp_path / f"masks/{name}.png", values)
        picture = tmp_path / "images" / f"{name}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (len(values[0]), len(values))).save(picture)
    (tmp_path / "dev.txt").write_text("one\nsub/two.jpg\none\n")
    return tmp_path


def test_labels_are_what_is_in_the_masks(data: Path) -> None:
    samples = {sample.image: sample for sample in read_annotations(data)}
    for name, (values, labels) in MASKS.items():
        sample = samples.pop(f"{name}.jpg")
        assert sample.labels == labels
        assert sample.image_size == np.shape(values)
        assert sample.path == data / f"images/{name}.jpg"
        assert sample.masks == (data / f"masks/{name}.png",)
        assert sample.mask_labels == tuple((entry.value, entry.class_id) for entry in VOC_CLASSES)
    assert samples == {}


def test_a_list_names_a_split(data: Path) -> None:
    assert [sample.image for sample in read_annotations(data / "dev.txt")] == ["one.jpg", "sub/two.jpg"]


def test_values_of_ones_own_and_no_pictures(tmp_path: Path) -> None:
    write_mask(tmp_path / "masks/a.png", [[0, 3], [200, 255]], coloured=False)
    classes = [{"value": 200, "class_id": "n2", "class_name": "wolf"}, {"value": 3, "class_id": "n1"}]
    assert not mask_folder.matches(tmp_path)
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))
    (sample,) = read_annotations(tmp_path)
    assert (sample.image, sample.path, sample.labels) == ("a", None, ("n1", "n2"))
    assert sample.mask_labels == ((3, "n1"), (200, "n2"))


def test_a_folder_a_class_is_something_else(tmp_path: Path) -> None:
    for name in ("images", "masks", "cats"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / "a.jpg")
    assert not mask_folder.matches(tmp_path)
    assert not mask_folder.matches(tmp_path / "cats")


def test_what_is_wrong_is_named(data: Path) -> None:
    write_mask(data / "masks/one.png", [[0, 12, 99]])
    with pytest.raises(DataError, match=r"one\.png: holds the value 99"):
        mask_folder.read(data)
    (data / "dev.txt").write_text("sub/two\nthree\n")
    with pytest.raises(DataError, match=r"dev\.txt:2: three has no mask .*three\.png"):
        mask_folder.read(data / "dev.txt")
    (data / "dev.txt").write_text("\n")
    with pytest.raises(DataError, match=r"dev\.txt: holds no images"):
        mask_folder.read(data / "dev.txt")
    Image.new("RGB", (2, 2)).save(data / "images/one.png")
    (data / "dev.txt").write_text("one\n")
    with pytest.raises(DataError, match=r"one\.jpg and one\.png would share a mask"):
        mask_folder.read(data / "dev.txt")
    with pytest.raises(DataError, match="no PNG masks"):
        mask_folder.read(data / "images")


def test_values_are_not_guessed(data: Path) -> None:
    for file in (data / "masks").rglob("*.png"):
        write_mask(file, [[1, 2]], coloured=False)
    with pytest.raises(DataError, match=r"has not VOC's colours, and there is no classes\.json"):
        mask_folder.read(data)
