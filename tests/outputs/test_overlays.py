from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from wsloc.errors import MapError, OutputError
from wsloc.outputs.overlays import BOX_COLOURS, HEAT_COLOURS, OPACITY, draw_overlay, save_overlay, shown_map
from wsloc.records import Box, Localization, Prediction

Pixels = npt.NDArray[np.uint8]
GRAY = 128


def plain(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), GRAY, dtype=np.uint8)


def spot(top: int, left: int, side: int = 56, size: int = 224) -> npt.NDArray[np.float32]:
    """(1, size, size), a bright square."""
    maps = np.zeros((1, size, size), dtype=np.float32)
    maps[:, top : top + side, left : left + side] = 3
    return maps


def found(
    width: int, height: int, *predictions: Prediction, maps: npt.NDArray[np.float32] | None = None
) -> Localization:
    return Localization("x.jpg", width, height, "cam", predictions, (1,) if maps is not None else (), maps)


def where(image: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 round the pixels of exactly one colour."""
    rows, columns = np.nonzero((np.asarray(image) == colour).all(axis=2))
    assert len(rows), f"{colour} is nowhere"
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_heat_lies_where_the_map_is_high() -> None:
    image = draw_overlay(plain(500, 375), found(500, 375, maps=spot(112, 56)))
    assert image.size == (500, 375)
    assert image.mode == "RGB"
    pixels = np.asarray(image).astype(int)
    hot, cold = pixels[200:260, 140:230], pixels[:150, 300:]
    assert (cold == GRAY).all()
    expected = GRAY + OPACITY[255, 0] * (HEAT_COLOURS[255].astype(float) - GRAY)
    np.testing.assert_allclose(hot.reshape(-1, 3), np.broadcast_to(expected, (60 * 90, 3)), atol=2)
    assert np.abs(hot - GRAY).sum(axis=2).min() > 50


def test_the_picture_shows_through_the_heat() -> None:
    assert OPACITY[0, 0] == 0
    assert (np.diff(OPACITY[:, 0]) > 0).all()
    assert OPACITY[255, 0] < 0.7
    assert (np.diff(HEAT_COLOURS.astype(float) @ [0.2126, 0.7152, 0.0722]) >= -0.5).all()  # dark to bright


@pytest.mark.parametrize(("width", "height"), [(500, 375), (250, 300)])
def test_the_box_is_where_it_belongs(width: int, height: int, predict: Callable[..., Prediction]) -> None:
    """On a picture of the record's size, and on one that was scaled down, differently each way."""
    box = (100.0, 150.0, 300.0, 300.0)
    image = draw_overlay(plain(width, height), found(500, 375, replace(predict(1, box), class_name="i")))
    across, down = width / 500, height / 375
    x0, y0, x1, y1 = where(image, BOX_COLOURS[0])
    np.testing.assert_allclose((x0, x1, y1), (100 * across, 300 * across, 300 * down), atol=5)
    assert y0 < 150 * down  # the tag stands above
    inside = np.asarray(image)[
        round(150 * down) + 1 : round(300 * down) - 1, round(100 * across) + 1 : x1 - 5
    ]
    assert (inside == GRAY).all()


@pytest.mark.parametrize(
    "size", [(1, 1), (16, 16), (64, 48), (500, 375), (4000, 3000), (20, 2000), (2000, 20)]
)
@pytest.mark.parametrize("count", [1, 5])
def test_any_size_is_drawn_with_legible_words(
    size: tuple[int, int], count: int, predict: Callable[..., Prediction]
) -> None:
    width, height = size
    boxes: list[Box] = [
        (0.0, 0.0, float(width), float(height)),
        (0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height),
        (0.5 * width, 0.0, 0.501 * width, 0.001 * height),
        (0.99 * width, 0.99 * height, float(width), float(height)),
        (0.0, 0.0, 0.5 * width, 0.5 * height),
    ]
    names = ("goldfish", "a name that is by far too long for any tag, and goes on and on", "金魚", "é", "x")
    predictions = [predict(index, boxes[index], 0.9, name=names[index]) for index in range(count)]
    image = draw_overlay(plain(width, height), found(width, height, *predictions, maps=spot(100, 100)))
    assert min(image.size) >= 240
    assert max(image.size) <= max(2048, width, height)
    for colour in BOX_COLOURS[:count]:
        x0, y0, x1, y1 = where(image, colour)
        assert (x1 - x0) * (y1 - y0) >= 200  # a tag or a box that can be seen


def test_a_picture_that_no_jpeg_could_hold_is_reduced(tmp_path: Path) -> None:
    image = draw_overlay(plain(70_000, 300), found(70_000, 300))
    assert max(image.size) <= 65_500
    save_overlay(tmp_path / "x.jpg", image)


def test_a_map_without_mass_leaves_the_picture(predict: Callable[..., Prediction]) -> None:
    empty = found(500, 375, maps=np.zeros((1, 7, 7), dtype=np.float32))
    assert (np.asarray(draw_overlay(plain(500, 375), empty)) == GRAY).all()
    whole = replace(empty, predictions=(predict(1, (0.0, 0.0, 500.0, 375.0), mass=0.0),))
    pixels = np.asarray(draw_overlay(plain(500, 375), whole))
    assert where(Image.fromarray(pixels), BOX_COLOURS[0])[2:] == (499, 374)  # one dark pixel round it
    assert (pixels[50:-5, 5:-5] == GRAY).all()


def test_a_record_without_maps_has_boxes_only(predict: Callable[..., Prediction]) -> None:
    image = draw_overlay(plain(500, 375), found(500, 375, predict(1, (100.0, 100.0, 200.0, 200.0))))
    where(image, BOX_COLOURS[0])
    assert np.mean(np.asarray(image) == GRAY) > 0.9


def test_raw_maps_with_negative_values_are_drawn() -> None:
    maps = spot(0, 0) - 1
    assert (np.asarray(draw_overlay(plain(500, 375), found(500, 375, maps=maps)))[200:] == GRAY).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_map_that_is_no_map_is_refused(value: float) -> None:
    maps = spot(0, 0)
    maps[0, 5, 5] = value
    with pytest.raises(MapError, match=r"x\.jpg"):
        draw_overlay(plain(500, 375), found(500, 375, maps=maps))


def test_the_heat_is_the_best_classes(record: Localization) -> None:
    assert record.activation_maps is not None
    swapped = replace(record, predictions=record.predictions[::-1])
    for shown, index in ((record, 0), (swapped, 1), (replace(swapped, class_indices=()), 0)):
        np.testing.assert_array_equal(shown_map(shown), record.activation_maps[index])
    assert shown_map(replace(record, activation_maps=None)) is None
    assert shown_map(replace(record, predictions=())) is not None


def test_five_boxes_have_five_colours_and_a_shared_box_one(predict: Callable[..., Prediction]) -> None:
    boxes = [(60.0 + 60 * index, 100.0, 100.0 + 60 * index, 200.0) for index in range(5)]
    apart = draw_overlay(plain(500, 375), found(500, 375, *[predict(i, b) for i, b in enumerate(boxes)]))
    for colour in BOX_COLOURS[:5]:
        where(apart, colour)
    shared = draw_overlay(plain(500, 375), found(500, 375, *[predict(i, boxes[0]) for i in range(5)]))
    _, top, _, bottom = where(shared, BOX_COLOURS[0])
    assert bottom - top > 5 * 15 + 90  # five rows and the box
    pixels = np.asarray(shared)
    assert not any((pixels == colour).all(axis=2).any() for colour in BOX_COLOURS[1:5])


def test_the_best_box_lies_on_top(predict: Callable[..., Prediction]) -> None:
    boxes = ((100.0, 100.0, 300.0, 200.0), (100.0, 100.0, 300.0, 300.0))
    best_last = [predict(2, boxes[1]), predict(1, boxes[0])]
    for predictions in (best_last, best_last[::-1]):
        image = draw_overlay(plain(500, 375), found(500, 375, *predictions))
        shared_edge = np.asarray(image)[150, 90:102].tolist()
        assert list(BOX_COLOURS[0]) in shared_edge
        assert list(BOX_COLOURS[1]) not in shared_edge


def test_two_boxes_of_a_class_have_its_colour_and_one_tag(predict: Callable[..., Prediction]) -> None:
    one, other = (50.0, 100.0, 150.0, 200.0), (300.0, 100.0, 450.0, 200.0)
    image = draw_overlay(plain(500, 375), found(500, 375, predict(1, one), predict(1, other)))
    pixels = (np.asarray(image) == BOX_COLOURS[0]).all(axis=2)
    assert pixels[:95, :250].any()  # the tag
    assert not pixels[:95, 250:].any()
    assert pixels[100:200, 250:].any()


def test_the_given_picture_is_not_touched(predict: Callable[..., Prediction]) -> None:
    record = found(500, 375, predict(1, (100.0, 100.0, 200.0, 200.0)), maps=spot(50, 50))
    picture = plain(500, 375)
    picture.flags.writeable = False
    assert draw_overlay(picture, record).tobytes() != picture.tobytes()
    assert (picture == GRAY).all()
    turned = np.arange(500 * 375 * 3, dtype=np.uint8).reshape(375, 500, 3)[::-1, ::-1]  # no C order
    assert draw_overlay(turned, record).tobytes() == draw_overlay(turned.copy(), record).tobytes()


def test_threads_draw_the_same(predict: Callable[..., Prediction]) -> None:
    record = found(
        300, 300, *[predict(i, (20.0 * i, 50.0, 200.0, 200.0)) for i in range(5)], maps=spot(50, 50)
    )
    expected = draw_overlay(plain(300, 300), record).tobytes()
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: draw_overlay(plain(300, 300), record).tobytes(), range(40)))
    assert all(content == expected for content in drawn)


def test_an_overlay_is_saved_as_jpeg_whole_or_not_at_all(tmp_path: Path) -> None:
    image = draw_overlay(plain(300, 250), found(300, 250, maps=spot(50, 50)))
    path = tmp_path / "overlays" / "a" / "b.jpg.jpg"
    save_overlay(path, image)
    with Image.open(path) as read:
        assert (read.format, read.size) == ("JPEG", (300, 250))
        assert np.abs(np.asarray(read).astype(int) - np.asarray(image)).mean() < 3
    assert [entry.name for entry in path.parent.iterdir()] == ["b.jpg.jpg"]
    with pytest.raises(OutputError, match="overlays"):
        save_overlay(tmp_path / "overlays" / "a", image)


@pytest.mark.parametrize("size", [(2, 3000), (1, 2048), (3000, 2), (1500, 1), (3, 2000)])
def test_long_pictures_of_a_pixel_or_two_are_drawn(size: tuple[int, int]) -> None:
    """No enlargement fits them: the box has no room for its bright line there."""
    height, width = size
    box = (0.0, 0.0, float(width), float(height))
    found = Prediction(0, "n01", "fish", 0.9, box, 0.98)
    record = Localization("thin.png", width, height, "cam", (found,), (0,), np.ones((1, 8, 8), np.float32))
    picture = np.zeros((*size, 3), np.uint8)
    assert draw_overlay(picture, record).width >= width
