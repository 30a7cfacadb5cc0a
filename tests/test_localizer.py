from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

import wsloc
from tests.example_localizers import assert_close, maps_of, picture
from wsloc.errors import DataError, ImageError, UnsupportedError
from wsloc.inputs.images import find_images
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.methods import MAPS
from wsloc.records import Classes, Failure, Localization
from wsloc.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.localizer import Localizer

PER_CLASS = ("entropy-class", "cam", "gradcam")


def test_every_kind_of_picture_gives_the_same(ep: Localizer, scenes: Path) -> None:
    path = scenes / "a/star.png"
    with Image.open(path) as file:
        pillow = file.convert("RGB")
    record = ep.localize(path, classes="top5")
    assert record.image == "star.png"
    assert (record.height, record.width) == (60, 90)
    for form in (str(path), pillow, np.asarray(pillow)):
        other = ep.localize(form, classes="top5")
        assert other.predictions == record.predictions
        assert np.array_equal(maps_of(other), maps_of(record))
        assert other.image in ("star.png", "image-0")
    several = ep.localize([path, pillow, np.asarray(pillow)], classes="top5", batch_size=1)
    assert [found.image for found in several] == ["star.png", "image-1", "image-2"]
    assert all(found.predictions == record.predictions for found in several)
    assert ep.localize([]) == []


def test_a_gray_array_is_a_gray_picture(ep: Localizer) -> None:
    gray = picture()[..., 0]
    assert ep.localize(gray).predictions == ep.localize(np.stack([gray] * 3, axis=2)).predictions


def test_the_orientation_is_applied(ep: Localizer) -> None:
    upright = Image.fromarray(picture(size=(40, 90)))
    stored = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    upright.transpose(Image.Transpose.ROTATE_90).save(stored, "PNG", exif=exif)
    with Image.open(stored) as file:
        assert file.size == (40, 90)
        assert ep.localize(file).predictions == ep.localize(upright).predictions


def test_the_order_is_that_of_the_images(ep: Localizer, paths: list[Path]) -> None:
    """Whatever the batch, and although equal sizes go through the network together."""
    keep = replace(ep, preprocessing=Preprocessing(image_size=48, resize="keep"))
    order = [*paths, *reversed(paths), paths[2]]
    single = {path: keep.localize(path) for path in paths}
    assert len({maps_of(keep.localize(path)).shape for path in paths}) > 2
    for batch_size in (1, 3, 16):
        for record, path in zip(keep.localize(order, batch_size=batch_size), order, strict=True):
            assert_close(record, single[path])


@pytest.fixture(scope="module")
def paths(scenes: Path) -> list[Path]:
    return [file.path for file in find_images([scenes])]


@pytest.mark.parametrize("name", [*MAPS])
def test_the_batch_size_does_not_matter(showing: Callable[[str], Localizer], name: str) -> None:
    own = showing(name)
    pictures = [picture(seed) for seed in range(6)]
    together = own.localize(pictures, map=name, classes="top5", batch_size=6)
    for number, one in enumerate(own.localize(pictures, map=name, classes="top5", batch_size=1)):
        assert_close(one, together[number])


def test_what_is_no_image_is_refused(ep: Localizer, tmp_path: Path, scenes: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes((scenes / "a/star.png").read_bytes()[:500])
    with pytest.raises(ImageError, match=r"torn\.png: cannot be decoded"):
        ep.localize([scenes / "key.png", path])
    with pytest.raises(ImageError, match=r"image-1: expected a path, a Pillow image .* got Tensor"):
        ep.localize([picture(), torch.zeros(3, 4, 4)])  # type: ignore[list-item]  # what is tested


def test_batch_size_is_checked(ep: Localizer) -> None:
    for size in (0, 1.5):
        with pytest.raises(UnsupportedError, match=f"batch_size is a whole number of at least 1, not {size}"):
            ep.localize([], batch_size=size)  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("name", PER_CLASS)
def test_several_classes_each_with_its_map_best_first(gap: Localizer, name: str) -> None:
    record = gap.localize(picture(), map=name, classes=["moon", 1, "n03"])
    assert maps_of(record).shape == (3, 48, 48)
    assert sorted(record.class_indices) == [1, 2, 5]
    assert [prediction.class_index for prediction in record.predictions] == [*record.class_indices]
    probabilities = [prediction.probability for prediction in record.predictions]
    assert probabilities == sorted(probabilities, reverse=True)
    assert len(set(probabilities)) == 3
    for prediction, cells in zip(record.predictions, maps_of(record), strict=True):
        alone = gap.localize(picture(), map=name, classes=prediction.class_index)
        assert alone.predictions[0].class_name == gap.classes.names[prediction.class_index]
        assert alone.predictions[0].box == pytest.approx(prediction.box, abs=1)
        np.testing.assert_allclose(maps_of(alone), cells[None], atol=1e-5)
    assert not np.allclose(maps_of(record)[0], maps_of(record)[1], atol=1e-3)


def test_top5_is_the_five_best(ep: Localizer) -> None:
    record = ep.localize(picture(), classes="top5", map="entropy-class")
    everything = ep.localize(picture(), classes=list(range(6)), map="entropy-class")
    assert record.predictions == everything.predictions[:5]
    assert len(everything.predictions) == 6
    assert sum(prediction.probability for prediction in everything.predictions) == pytest.approx(1, abs=1e-5)


def test_top5_of_fewer_classes_is_all_of_them(make_checkpoint: Callable[..., Path]) -> None:
    three = wsloc.load(make_checkpoint("bew", Classes(("a", "b", "c"), ("a", "b", "c"))), device="cpu")
    for name, kind in MAPS.items():
        if not kind.stochastic and not kind.fine_tuned:
            assert len(three.localize(picture(), classes="top5", map=name).predictions) == 3


def test_unknown_classes_and_options_are_refused(ep: Localizer) -> None:
    with pytest.raises(DataError, match="no class 'starr' among the network's 6 classes: did you mean star"):
        ep.localize(picture(), classes="starr")
    with pytest.raises(UnsupportedError, match="unknown map 'heat'"):
        ep.localize(picture(), map="heat")
    with pytest.raises(TypeError, match="colour"):
        ep.localize(picture(), colour="red")  # type: ignore[call-overload]  # what is tested


def test_labels_of_each_image(ep: Localizer, scenes: Path) -> None:
    """Rows of different lengths in one batch, by id or bare file name; one image has none."""
    labels = {"a/star.png": (4, 0, 2), "fish.jpg": (2,), "key.png": (3, 3)}
    request = Request(map="entropy-class", classes=labels)
    (records,) = ep.localize_files(find_images([scenes]), request)
    by_image = {record.image: record for record in records}
    assert [*by_image] == ["a/star.png", "a/tall.png", "b/fish.jpg", "key.png"]
    failure = by_image["a/tall.png"]
    assert failure == Failure("a/tall.png", "a/tall.png: the labels file has no label for it")
    for image, named in (("a/star.png", [0, 2, 4]), ("b/fish.jpg", [2])):
        record = by_image[image]
        assert isinstance(record, Localization)
        assert sorted(record.class_indices) == named
        assert len(maps_of(record)) == len(named)
        assert_close(replace(record, image=image.split("/")[1]), ep.localize(scenes / image, classes=named))


def test_failures_stand_in_their_place(ep: Localizer, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    files = find_images([scenes / "key.png", tmp_path / "empty.png", scenes / "b/fish.jpg"])
    (records,) = ep.localize_files(files, Request())
    assert [record.image for record in records] == ["key.png", "empty.png", "fish.jpg"]
    assert isinstance(records[1], Failure)
    assert "empty.png: is empty" in records[1].error
    assert isinstance(records[0], Localization)
    assert isinstance(records[2], Localization)


def test_workers_change_nothing(ep: Localizer, scenes: Path) -> None:
    files = find_images([scenes])

    def run(workers: int) -> list[Any]:
        batches = ep.localize_files(files, Request(), batch_size=1, workers=workers, with_pictures=True)
        return [
            (record, np.asarray(record.overlay()))
            for (record,) in batches
            if isinstance(record, Localization)
        ]

    for (one, drawn), (other, redrawn) in zip(run(0), run(2), strict=True):
        assert one == other
        assert np.array_equal(maps_of(one), maps_of(other))
        assert np.array_equal(drawn, redrawn)


def test_probabilities_of_a_multi_label_network_are_sigmoids(gap: Localizer) -> None:
    multi = replace(gap, task="multi-label")
    one = gap.localize(picture(), classes=[0, 1, 2, 3, 4, 5])
    several = multi.localize(picture(), classes=[0, 1, 2, 3, 4, 5])
    assert one.class_indices == several.class_indices
    softmax = np.array([prediction.probability for prediction in one.predictions])
    sigmoid = np.array([prediction.probability for prediction in several.predictions])
    odds = sigmoid / (1 - sigmoid)  # e^z
    np.testing.assert_allclose(odds / odds.sum(), softmax, rtol=1e-3)
    assert sigmoid.sum() != pytest.approx(1, abs=0.01)


def test_records_draw_themselves(ep: Localizer, scenes: Path) -> None:
    record = ep.localize(scenes / "a/star.png", classes="top5")
    overlay = record.overlay()
    assert overlay.mode == "RGB"
    assert overlay.width / overlay.height == pytest.approx(90 / 60, rel=0.02)
    content = record._repr_png_()
    assert content is not None
    with Image.open(BytesIO(content)) as shown_picture:
        assert shown_picture.format == "PNG"
        assert np.array_equal(np.asarray(shown_picture), np.asarray(overlay))


def test_large_pictures_are_drawn_smaller(ep: Localizer) -> None:
    record = ep.localize(Image.new("RGB", (2500, 100), "red"))
    assert (record.width, record.height) == (2500, 100)
    assert record.overlay().width <= 2048
