"""ImageNet's XML files: ids, wnids, and corners that are counted from 0."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import imagenet_xml
from wsloc.records import Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WNID = "n01751748"


def test_samples(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    (tmp_path / "val").mkdir()
    names = [f"ILSVRC2012_val_0000000{number}" for number in (1, 2)]
    objects = ((WNID, (111, 108, 441, 193)), (WNID, (0, 0, 500, 374)))
    (tmp_path / f"val/{names[1]}.xml").write_text(make_xml(names[1], ((WNID, (0, 0, 0, 0)),), size=None))
    (tmp_path / f"val/{names[0]}.xml").write_text(make_xml(names[0], objects))
    assert imagenet_xml.matches(tmp_path)
    assert imagenet_xml.read(tmp_path) == [
        Sample(names[0], None, (WNID,), (375, 500), ((WNID, (111, 108, 442, 194)), (WNID, (0, 0, 501, 375)))),
        Sample(names[1], None, (WNID,), None, ((WNID, (0, 0, 1, 1)),)),
    ]
    one = tmp_path / f"val/{names[0]}.xml"
    assert imagenet_xml.matches(one)
    assert imagenet_xml.read(one) == imagenet_xml.read(tmp_path)[:1]


@pytest.mark.parametrize("filename", ["%s", ""])
def test_files_that_do_not_name_their_picture(
    tmp_path: Path, make_xml: Callable[..., str], filename: str
) -> None:
    (tmp_path / "n01440764_18.xml").write_text(make_xml(filename, (("n01440764", (1, 2, 3, 4)),)))
    assert [sample.image for sample in imagenet_xml.read(tmp_path)] == ["n01440764_18"]


def test_an_image_without_objects_has_no_label(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    (tmp_path / "ILSVRC2012_val_00000001.xml").write_text(make_xml("x", ()))
    assert imagenet_xml.read(tmp_path) == [Sample("x", None, (), (375, 500))]


def test_two_files_for_one_image(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.xml").write_text(make_xml("same", ((WNID, (1, 2, 3, 4)),)))
    with pytest.raises(DataError, match=r"b\.xml: it is for the image same, and so is .*a\.xml"):
        imagenet_xml.read(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    (tmp_path / "ILSVRC2012_val_00000001.xml").write_text("<annotation>\n<object>")
    assert imagenet_xml.matches(tmp_path)
    with pytest.raises(DataError, match=r"ILSVRC2012_val_00000001\.xml:2: no well-formed XML"):
        imagenet_xml.read(tmp_path)
    (tmp_path / "ILSVRC2012_val_00000001.xml").write_text(make_xml("x", ((WNID, (9, 2, 3, 4)),)))
    with pytest.raises(
        DataError, match=rf"00000001\.xml: object 1 \({WNID}\): the box `9 2 3 4` ends before"
    ):
        imagenet_xml.read(tmp_path)


def test_a_folder_without_xml(tmp_path: Path) -> None:
    assert not imagenet_xml.matches(tmp_path)
    with pytest.raises(DataError, match="no XML annotations in it"):
        imagenet_xml.read(tmp_path)


def test_many_files_take_little_time(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    for number in range(500):
        text = make_xml(f"ILSVRC2012_val_{number:08d}", ((WNID, (111, 108, 441, 193)),) * 2)
        (tmp_path / f"ILSVRC2012_val_{number:08d}.xml").write_text(text)
    start = time.process_time()
    assert len(imagenet_xml.read(tmp_path)) == 500
    assert time.process_time() - start < 1.5  # some 0.05 s on an idle machine: 50,000 in about 6 s
