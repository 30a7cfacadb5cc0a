import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsloc.errors import OutputError
from wsloc.outputs import voc
from wsloc.outputs.predictions import Records
from wsloc.records import Classes, Localization, Prediction


def parsed(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - what was just written


def text(tree: ET.Element, path: str) -> str:
    found = tree.find(path)
    assert found is not None, path
    return found.text or ""


def test_one_file_an_image_in_the_folders_of_its_id(
    records: Records, classes: Classes, tmp_path: Path
) -> None:
    voc.write(records, classes, tmp_path)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.xml"))
    assert files == ["voc/a/b.xml", "voc/c.xml", "voc/empty.xml"]
    tree = parsed(tmp_path / "voc/a/b.xml")
    assert (text(tree, "folder"), text(tree, "filename")) == ("a", "b.jpg")
    assert [text(tree, f"size/{key}") for key in ("width", "height", "depth")] == ["500", "375", "3"]
    first, second = tree.findall("object")
    assert [child.tag for child in first] == ["name", "pose", "truncated", "difficult", "score", "bndbox"]
    assert (text(first, "name"), text(second, "name")) == ("goldfish", "crane (n03126707)")
    assert float(text(first, "score")) == 0.93
    assert [text(first, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")] == [
        "13",
        "4",
        "241",
        "199",
    ]
    assert [text(second, f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")] == [
        "1",
        "1",
        "500",
        "375",
    ]
    assert parsed(tmp_path / "voc/empty.xml").find("object") is None


def test_whole_pixels_come_back_exactly() -> None:
    xmin, ymin, xmax, ymax = voc.voc_corners((2.0, 3.0, 7.0, 9.0), (20, 10))
    assert (xmin - 1, ymin - 1, xmax, ymax) == (2, 3, 7, 9)


@given(
    st.tuples(*[st.floats(0, 1)] * 4),
    st.integers(1, 50),
    st.integers(1, 50),
    st.sampled_from([0.0, 1e-9, 1.0]),
)
def test_corners_hold_the_box_and_stay_inside(
    fractions: tuple[float, float, float, float], width: int, height: int, least: float
) -> None:
    x0, x1 = sorted((fractions[0] * width, fractions[1] * width))
    y0, y1 = sorted((fractions[2] * height, fractions[3] * height))
    box = (min(x0, width - 1e-9), min(y0, height - 1e-9), min(x1 + least, width), min(y1 + least, height))
    xmin, ymin, xmax, ymax = voc.voc_corners(box, (height, width))
    assert 1 <= xmin <= xmax <= width
    assert 1 <= ymin <= ymax <= height
    if box[0] < box[2] and box[1] < box[3]:
        assert xmin - 1 <= box[0] < xmin
        assert xmax - 1 < box[2] <= xmax
        assert ymin - 1 <= box[1] < ymin
        assert ymax - 1 < box[3] <= ymax


def test_names_that_xml_cannot_hold_are_still_written(
    classes: Classes, predict: Callable[..., Prediction], tmp_path: Path
) -> None:
    image = os.fsdecode(b"<a&b>\x01\xe9.jpg")
    record = Localization(image, 4, 4, "cam", (predict(0, (0.0, 0.0, 1.0, 1.0)),))
    voc.write(lambda: iter([record]), classes, tmp_path)
    (path,) = tmp_path.rglob("*.xml")
    assert text(parsed(path), "filename") == "<a&b>\ufffd\ufffd.jpg"


def test_one_stem_twice_is_refused_before_anything_is_written(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    both = [record, replace(record, image="a/b.png")]
    with pytest.raises(OutputError, match=r"a/b\.jpg and a/b\.png"):
        voc.write(lambda: iter(both), classes, tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match=r"a/b\.jpg and a/b\.png"):
        voc.check(lambda: ["a/b.jpg", "a/b.png"], tmp_path)


def test_an_id_that_climbs_stays_in_the_folder(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    voc.write(lambda: iter([replace(record, image="../../x.jpg")]), classes, tmp_path / "deep" / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.xml")] == [
        "deep/out/voc/__/__/x.xml"
    ]
