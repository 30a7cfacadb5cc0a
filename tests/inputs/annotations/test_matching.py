"""Annotations and images find each other by id, by name without extension, by bare name; else by nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations.matching import match, read_blacklist
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def samples(*names: str) -> list[Sample]:
    return [Sample(name, None, ("dog",)) for name in names]


@pytest.mark.parametrize(
    ("annotated", "image"),
    [
        ("val/a.JPEG", "val/a.JPEG"),
        ("ILSVRC2012_val_00000001", "ILSVRC2012_val_00000001.JPEG"),
        ("val/A.JPEG", "VAL/a.png"),
        ("val/a.JPEG", "val/a.jpeg.npy"),
        ("val/a", "./val/a.npz"),
        ("val/a", "val\\a.jpg"),
        ("2007_000032.jpg", "JPEGImages/2007_000032.jpg"),
        ("n01/images/n01_0.JPEG", "train/n01/images/n01_0.JPEG"),
        ("v1.5.jpg", "V1.5"),
    ],
)
def test_names_that_match(annotated: str, image: str) -> None:
    (sample,) = samples(annotated)
    found = match([sample], [image])
    assert found.pairs == ((image, sample),)
    assert (found.unmatched_samples, found.unmatched_images, found.notes()) == ((), (), [])


@pytest.mark.parametrize(
    ("annotated", "image"), [("a.1", "a.2"), ("a", "b.jpg"), ("a.jpg", ".jpg"), ("a/jpg", "a/.jpg")]
)
def test_names_that_do_not(annotated: str, image: str) -> None:
    with pytest.raises(DataError, match=rf"called like `{image}`, the annotations' like `{annotated}`$"):
        match(samples(annotated), [image])


def test_the_closer_name_wins_and_order_is_that_of_the_images() -> None:
    ids = ["b/x.jpg", "y.png", "a/x.jpg", "z/other.jpg", "y.jpg"]
    found = match(samples("y.jpg", "a/x", "B/X.png", "lost/q", "lost/r"), ids)
    assert [(image, sample.image) for image, sample in found.pairs] == [
        ("b/x.jpg", "B/X.png"),
        ("a/x.jpg", "a/x"),
        ("y.jpg", "y.jpg"),
    ]
    assert found.unmatched_samples == ("lost/q", "lost/r")
    assert found.unmatched_images == ("y.png", "z/other.jpg")
    assert found.notes(1) == [
        "2 annotated but not among the images: lost/q and 1 more",
        "2 among the images but not annotated: y.png and 1 more",
    ]


def test_what_is_left_says_of_what() -> None:
    found = match(samples("a", "lost"), ["a", "x"], "maps")
    assert found.sides() == [
        ("annotated but not among the maps", ("lost",)),
        ("among the maps but not annotated", ("x",)),
    ]
    assert match(samples("a"), ["a"]).sides() == []


def test_what_could_be_several_is_not_guessed() -> None:
    found = match(samples("x", "y"), ["one/x.jpg", "two/x.jpg", "y.jpg"])
    assert [image for image, _ in found.pairs] == ["y.jpg"]
    assert found.unmatched_samples == ("x",)
    found = match(samples("cat/1", "dog/1", "y"), ["train/cat/1.jpg", "y.jpg"])
    assert [image for image, _ in found.pairs] == ["y.jpg"]
    with pytest.raises(DataError, match="their names are alike, but each stands for several"):
        match(samples("x"), ["one/x.jpg", "two/x.jpg"])
    # A name taken by another does not become unambiguous thereby.
    found = match(samples("n01/a", "n02/a"), ["n01/a.jpg", "other/a.jpg"])
    assert [image for image, _ in found.pairs] == ["n01/a.jpg"]


def test_nothing_to_match() -> None:
    with pytest.raises(DataError, match="no annotation to match"):
        match([], ["a"])
    with pytest.raises(DataError, match="no image to match"):
        match(samples("a"), [])


def test_ids_that_stand_there_twice() -> None:
    with pytest.raises(DataError, match="b stands twice among the annotations"):
        match(samples("a", "b", "b"), ["a"])
    with pytest.raises(DataError, match="a stands twice among the images"):
        match(samples("a", "b"), ["a", "a"])


def test_fifty_thousand_take_little_time() -> None:
    annotated = samples(*(f"ILSVRC2012_val_{number:08d}" for number in range(50_000)))
    ids = [f"val/{sample.image}.JPEG" for sample in reversed(annotated)]
    start = time.process_time()
    found = match(annotated, ids)
    assert time.process_time() - start < 3  # 0.4 s on an idle machine
    assert len(found.pairs) == 50_000
    assert all(image == f"val/{sample.image}.JPEG" for image, sample in found.pairs[::5000])


VALIDATION = [f"val/ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 21)]


def test_blacklist_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "blacklist.txt"
    path.write_text("2\n\n36\n50000\n7\n7\n")
    assert read_blacklist(path, VALIDATION) == {VALIDATION[1], VALIDATION[6]}
    path.write_text("36\n")
    assert read_blacklist(path, VALIDATION) == frozenset()


def test_blacklist_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "blacklist.txt"
    path.write_text("ilsvrc2012_val_00000003\nval/ILSVRC2012_val_00000004.JPEG\nILSVRC2012_val_00049999\n")
    assert read_blacklist(path, VALIDATION) == {VALIDATION[2], VALIDATION[3]}
    path.write_text("000000000139\n")
    assert read_blacklist(path, ["000000000139.jpg", "000000000285.jpg"]) == {"000000000139.jpg"}


@pytest.mark.parametrize(
    ("text", "ids", "reason"),
    [
        ("2\n0\n", VALIDATION, ":2: images are counted from 1, found 0"),
        ("-3\n", VALIDATION, ":1: images are counted from 1, found -3"),
        ("\n", VALIDATION, ": holds no images"),
        (
            "a\nb\n",
            VALIDATION,
            ": it lists none of these images, which are called like `val/ILSVRC2012_val_0",
        ),
        ("1\n2\n", ["a.jpg"], r": it lists none of these images, which are called like `a\.jpg`"),
    ],
)
def test_malformed_blacklists(tmp_path: Path, text: str, ids: list[str], reason: str) -> None:
    (tmp_path / "blacklist.txt").write_text(text)
    with pytest.raises(DataError, match=rf"blacklist\.txt{reason}"):
        read_blacklist(tmp_path / "blacklist.txt", ids)


def test_a_blacklist_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*absent\.txt"):
        read_blacklist(tmp_path / "absent.txt", VALIDATION)


@pytest.mark.parametrize("line", ["+-5", "--3", "++1", "9" * 5000])
def test_a_blacklist_of_what_looks_like_numbers(tmp_path: Path, line: str) -> None:
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(DataError, match=r"list\.txt:1: images are counted from 1"):
        read_blacklist(tmp_path / "list.txt", ["a"])
