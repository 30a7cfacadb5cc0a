"""Other images share no class with the one they go with, and depend on its key alone."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.training.tiny_data import folder_per_class, labels_csv
from wsloc.errors import DataError
from wsloc.inputs.other_images import OtherImages
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.records import Classes

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("star", "moon", "sun")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pictures with one or two of three classes."""
    return labels_csv(tmp_path_factory.mktemp("others"), 9)


@pytest.fixture(scope="module")
def classes(data: Path) -> Classes:
    rows = data.read_text().split()[1:]
    words = tuple(sorted({label for row in rows for label in row.split(",")[1].split(";")}))
    return Classes(words, words)


def test_they_share_no_class_and_are_squashed(data: Path, classes: Classes) -> None:
    others = OtherImages(data, classes, Preprocessing(image_size=16, resize="keep"))
    for own in ((0,), (1,), (0, 2)):
        pixels, labels = others.draw(5, own, 3)
        assert pixels.shape == (3, 16, 16, 3)
        assert pixels.dtype == np.uint8
        assert not any(set(row) & set(own) for row in labels)
        assert all(labels)
    assert (
        len({picture.tobytes() for picture in others.draw(5, (), 9)[0]}) == 9
    )  # none twice, as long as they last


def test_the_key_and_the_seed_decide(data: Path, classes: Classes) -> None:
    own = Preprocessing(image_size=16)
    others = OtherImages(data, classes, own)
    pixels, labels = others.draw(2**64 - 1, (0,), 2)
    for again in (others, OtherImages(data, classes, own)):
        same, rows = again.draw(2**64 - 1, (0,), 2)
        assert np.array_equal(same, pixels)
        assert rows == labels
    drawn = [
        OtherImages(data, classes, own, seed).draw(key, (), 3)[0] for seed in (0, 1) for key in (1, 2, 3)
    ]
    assert len({pictures.tobytes() for pictures in drawn}) > 3


def test_what_decides_the_draws_is_said_alike_in_every_run(data: Path, classes: Classes) -> None:
    """Copies, too, which `dataclasses.asdict` makes of it."""
    own = Preprocessing(image_size=16)
    said = str(OtherImages(data, classes, own))
    assert said.startswith(f"9 images of {data} (")
    assert str(deepcopy(OtherImages(data, classes, own))) == said
    assert str(OtherImages(data, classes, own, 1)) != said
    other = Classes(classes.ids[::-1], classes.names[::-1])
    assert str(OtherImages(data, other, own)) != said
    copied = deepcopy(OtherImages(data, classes, own)).draw(3, (0,), 2)
    assert np.array_equal(copied[0], OtherImages(data, classes, own).draw(3, (0,), 2)[0])


def test_few_that_fit_are_drawn_repeatedly(tmp_path: Path) -> None:
    data = folder_per_class(tmp_path / "data", 2, classes=2)
    words = tuple(sorted(path.name for path in data.iterdir()))
    pixels, labels = OtherImages(data, Classes(words, words), Preprocessing(image_size=16)).draw(1, (0,), 5)
    assert labels == [(1,)] * 5
    assert len({picture.tobytes() for picture in pixels}) == 1


def test_what_cannot_be_drawn_from_is_refused(data: Path, classes: Classes, tmp_path: Path) -> None:
    own = Preprocessing(image_size=16)
    with pytest.raises(DataError, match=r"labels\.csv: every image in it shares a class with the one"):
        OtherImages(data, classes, own).draw(1, (0, 1, 2), 1)
    with pytest.raises(DataError, match="is not there"):
        OtherImages(tmp_path / "nothing", classes, own)
    with pytest.raises(DataError, match="not among the network's 2"):
        OtherImages(data, Classes(WORDS[:2], WORDS[:2]), own)
    (tmp_path / "torn.png").write_bytes(b"no picture")
    (tmp_path / "labels.csv").write_text(f"image,label\ntorn.png,{classes.ids[0]}\n")
    with pytest.raises(DataError, match=r"torn\.png.*RIB's other images: mend it, or take it out"):
        OtherImages(tmp_path / "labels.csv", classes, own).draw(1, (1,), 1)
    (tmp_path / "labels.csv").write_text(f"image,label\nlost.png,{classes.ids[0]}\n")
    with pytest.raises(DataError, match=r"lost\.png: there is no such picture"):
        OtherImages(tmp_path / "labels.csv", classes, own)
    with Image.open(data.parent / "0.png") as picture:
        assert picture.size != (16, 16)
