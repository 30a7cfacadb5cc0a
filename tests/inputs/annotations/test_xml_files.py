"""XML annotations: found in folders, told apart, read, and refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import imagenet_xml, voc
from wsloc.inputs.annotations.xml_files import XmlAnnotation, find_xml, first_xml, is_imagenet, read_xml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_files_are_found_sorted_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    for name in ("b/2.xml", "a/1.XML", "a/._1.xml", ".trash/3.xml", "a/1.jpg", "0.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_xml(tmp_path) == [tmp_path / "0.xml", tmp_path / "a/1.XML", tmp_path / "b/2.xml"]
    assert find_xml(tmp_path / "b/2.xml") == [tmp_path / "b/2.xml"]
    assert first_xml(tmp_path) == tmp_path / "0.xml"
    assert first_xml(tmp_path / "a") == tmp_path / "a/1.XML"
    assert first_xml(tmp_path / "a/1.jpg") is None
    (tmp_path / "0.xml").unlink()
    assert first_xml(tmp_path) == tmp_path / "a/1.XML"


def test_no_xml(tmp_path: Path) -> None:
    assert first_xml(tmp_path) is None
    with pytest.raises(DataError, match="no XML annotations in it"):
        find_xml(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a folder that may not be read")
def test_a_closed_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(DataError, match="closed: cannot be searched"):
        find_xml(tmp_path)


def test_a_lost_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lost: cannot be searched"):
        find_xml(tmp_path / "lost")


def test_what_it_says(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    path = tmp_path / "x.xml"
    path.write_text(make_xml("x", (("dog", (1, 2, 3, 4)), ("cat", (5, 6, 7, 8)), ("dog", (1, 1, 500, 375)))))
    boxes = (("dog", (0, 1, 3, 4)), ("cat", (4, 5, 7, 8)), ("dog", (0, 0, 500, 375)))
    assert read_xml(path, first=1) == XmlAnnotation("x", (375, 500), boxes)
    assert read_xml(path, first=1).labels == ("dog", "cat")
    assert read_xml(path).boxes[0] == ("dog", (1, 2, 4, 5))
    path.write_text(make_xml("", (), size=None))
    assert read_xml(path) == XmlAnnotation("", None, ())


def test_parts_of_objects_are_no_objects(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    part = "<part><name>head</name><bndbox><xmin>9</xmin></bndbox></part></object>"
    (tmp_path / "x.xml").write_text(make_xml("x", (("person", (1, 2, 3, 4)),)).replace("</object>", part))
    assert read_xml(tmp_path / "x.xml").boxes == (("person", (1, 2, 4, 5)),)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</annotation>", "", r":1: no well-formed XML"),
        ("<annotation>", "\n\n<annotation></size>", r":3: no well-formed XML"),
        ("annotation>", "picture>", r": <annotation> is expected at its root, not <picture>"),
        ("<name>dog</name>", "", r": object 2: it has no <name>"),
        ("<name>dog</name>", "<name> </name>", r": object 2: it has no <name>"),
        ("<ymax>8</ymax>", "", r": object 2 \(dog\): its <bndbox> has no <ymax>"),
        ("<ymax>8</ymax>", "<ymax/>", r": object 2 \(dog\): its <bndbox> has no <ymax>"),
        ("bndbox", "box", r": object 1 \(cat\): its <bndbox> has no <xmin>"),
        (
            "<ymax>8</ymax>",
            "<ymax>x</ymax>",
            r": object 2 \(dog\): the box `5 6 7 x` is not the four numbers",
        ),
        ("<ymax>8</ymax>", "<ymax>5</ymax>", r": object 2 \(dog\): the box `5 6 7 5` ends before"),
        ("<ymax>8</ymax>", "<ymax>nan</ymax>", r": object 2 \(dog\): the box .* not finite"),
        ("<ymax>8</ymax>", "<ymax>376</ymax>", r": object 2 \(dog\): the box .* reaches out .*500 x 375"),
        ("<width>500</width>", "<width>0</width>", r": <size>: width 0 and height 375 are not"),
        ("<width>500</width>", "", r": <size>: width None and height 375 are not"),
    ],
)
def test_malformed_files(
    tmp_path: Path, make_xml: Callable[..., str], old: str, new: str, reason: str
) -> None:
    path = tmp_path / "x.xml"
    sound = make_xml("x", (("cat", (1, 2, 3, 4)), ("dog", (5, 6, 7, 8))))
    assert old in sound
    path.write_text(sound.replace(old, new))
    with pytest.raises(DataError, match=rf"x\.xml{reason}"):
        read_xml(path)


def test_files_that_cannot_be_parsed_at_all(tmp_path: Path) -> None:
    for content in (b"", b"\0\0", b"<?xml version='1.0' encoding='martian'?><annotation/>"):
        (tmp_path / "x.xml").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.xml"):
            read_xml(tmp_path / "x.xml")
    with pytest.raises(DataError, match=r"cannot read .*y\.xml: No such file"):
        read_xml(tmp_path / "y.xml")


def test_imagenet_is_known_by_names_or_wnids(tmp_path: Path, make_xml: Callable[..., str]) -> None:
    def written(name: str, content: str) -> Path:
        (tmp_path / name).write_text(content)
        return tmp_path / name

    box = (1, 2, 3, 4)
    assert is_imagenet(written("ILSVRC2012_val_00000001.xml", "broken"))
    assert is_imagenet(written("n01440764_18.xml", "broken"))
    assert is_imagenet(written("1.xml", make_xml("1", (("n01440764", box),))))
    assert not is_imagenet(written("2.xml", make_xml("1", (("n01440764", box), ("dog", box)))))
    assert not is_imagenet(written("3.xml", make_xml("1", ())))
    assert not is_imagenet(written("4.xml", "broken"))


@pytest.mark.parametrize("first", ["<annotation>", ""])
def test_a_file_that_does_not_tell_leaves_it_to_the_next(
    tmp_path: Path, make_xml: Callable[..., str], first: str
) -> None:
    (tmp_path / "0.xml").write_text(first or make_xml("0", ()))
    (tmp_path / "1.xml").write_text(make_xml("1", (("n01440764", (1, 2, 3, 4)),)))
    assert imagenet_xml.matches(tmp_path)
    assert not voc.matches(tmp_path)
    (tmp_path / "1.xml").write_text(make_xml("1", (("dog", (1, 2, 3, 4)),)))
    assert not imagenet_xml.matches(tmp_path)
    assert voc.matches(tmp_path)
