from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.outputs import report_examples as examples
from tests.outputs.page_reading import Page
from wsloc.outputs.case_pictures import MOST_BYTES, case_picture, shown_cases, thumbnail
from wsloc.outputs.report_records import KINDS, Case


def embedded(case: Case) -> Image.Image:
    (image,) = Page(case_picture(case)).all("image")
    kind, content = (image.attributes["href"] or "").split(",")
    assert kind == "data:image/jpeg;base64"
    return Image.open(BytesIO(b64decode(content)))


def test_a_picture_is_embedded_in_the_images_own_frame() -> None:
    case = examples.case(picture=Image.new("RGB", (600, 400), (200, 30, 30)))
    picture = embedded(case)
    assert picture.size == (260, 173)
    red, green, _ = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    assert red > 190
    assert green < 40
    (drawing,) = Page(case_picture(case)).all("svg")
    assert drawing.attributes["viewbox"] == "0 0 60 40"


def test_boxes_are_drawn_where_they_are() -> None:
    page = Page(case_picture(examples.case()))
    truth = [box.attributes for box in page.all("rect", "truth")]
    assert [(box["x"], box["y"], box["width"], box["height"]) for box in truth] == [
        ("5.0", "5.0", "20.0", "25.0"),
        ("30.0", "2.0", "30.0", "38.0"),
    ]
    (predicted,) = page.all("rect", "predicted")
    assert predicted.attributes["height"] == "25.5"
    assert len(page.all("rect", "under")) == 3
    assert page.elements[-1] is predicted  # on top of everything


def test_who_cannot_see_it_is_told() -> None:
    words = {
        Page(case_picture(case)).elements[0].attributes["aria-label"]
        for case in (examples.case(), examples.case(truth=((1.0, 1.0, 2.0, 2.0),), predicted=None))
    }
    assert words == {
        "goldfish, IoU 0.97: 2 true boxes and the predicted one",
        "goldfish, IoU 0.97: 1 true box, none predicted",
    }


def test_a_picture_on_disk_is_read(tmp_path: Path) -> None:
    Image.new("L", (30, 90), 128).save(tmp_path / "a.png")
    case = examples.case(picture=None, path=tmp_path / "a.png", image_size=(90, 30))
    assert embedded(case).size == (30, 90)


@pytest.mark.parametrize("name", ["gone.png", "broken.png"])
def test_a_picture_that_cannot_be_read_leaves_its_boxes(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for case in (examples.case(picture=None), examples.case(picture=None, path=tmp_path / name)):
        page = Page(case_picture(case))
        assert page.all("image") == []
        assert len(page.all("rect", "truth")) == 2
        assert len(page.all("rect", "ground")) == 1


def test_thumbnails_are_small_and_pictures_are_left_alone() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    busy = Image.fromarray(noise).resize((500, 375), Image.Resampling.BICUBIC)
    assert len(thumbnail(busy)) <= MOST_BYTES
    assert busy.size == (500, 375)
    assert Image.open(BytesIO(thumbnail(Image.new("RGBA", (9, 7))))).size == (9, 7)


def test_as_many_of_each_kind_are_shown_as_there_is_room() -> None:
    cases = [
        examples.case(kind, image=f"{kind}-{number}") for kind in reversed(KINDS) for number in range(50)
    ]
    alone = shown_cases(cases, 1)
    assert len(alone) == 24
    assert [case.image for case in alone[::8]] == ["best-0", "median-0", "worst-0"]
    assert len(shown_cases(cases, 4)) == 24
    assert len(shown_cases(cases, 10)) == 12
    assert shown_cases(cases, 1000) == ()


def test_a_picture_of_two_panels_is_twice_as_large_and_says_what_it_shows() -> None:
    picture = Image.new("RGB", (900, 300), (200, 30, 30))
    case = examples.case(picture=picture, truth=(), predicted=None, words="truth left, seeds right")
    assert embedded(case).size == (520, 173)
    page = Page(case_picture(case))
    assert page.elements[0].attributes["aria-label"] == "goldfish, IoU 0.97: truth left, seeds right"
