from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CLASSES
from wsloc.cli.seeds_options import labelled_samples, labels_of_files, pictures_of
from wsloc.errors import DataError, UsageError
from wsloc.records import ImageFile, Sample


def test_pictures_are_those_of_the_samples() -> None:
    samples = [Sample("a/b.jpg", Path("data/a/b.jpg"), ("x",)), Sample("c.jpg", None, ("x",))]
    assert pictures_of(samples, Path("data")) == [ImageFile("a/b.jpg", Path("data/a/b.jpg"))]


def test_absolute_names_begin_at_the_shared_folder() -> None:
    paths = [Path("/data/one/a.jpg"), Path("/data/two/b.jpg")]
    samples = [Sample(str(path), path, ("x",)) for path in paths]
    assert [file.image for file in pictures_of(samples, Path("x.csv"))] == ["one/a.jpg", "two/b.jpg"]
    assert [file.image for file in pictures_of(samples[:1], Path("x.csv"))] == ["a.jpg"]


def test_without_pictures_images_must_be_named() -> None:
    with pytest.raises(UsageError, match=r"^name the IMAGES$"):
        pictures_of([], None)
    with pytest.raises(UsageError, match=r"name the IMAGES: x\.json names no pictures"):
        pictures_of([Sample("c.jpg", None, ("x",))], Path("x.json"))


def test_samples_of_either_source(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,label\na.jpg,star;fish\n")
    (sample,) = labelled_samples(path, None, "auto")
    assert sample.labels == ("star", "fish")
    assert labelled_samples(None, path, "labels-csv") == [sample]
    assert labelled_samples(None, None, "auto") == []
    with pytest.raises(UsageError, match="exclude one another"):
        labelled_samples(path, path, "auto")
    with pytest.raises(UsageError, match="goes with --annotations"):
        labelled_samples(path, None, "voc")


def test_how_strict_labels_are_taken() -> None:
    samples, files = [Sample("a.jpg", None, ("star", "zebra"))], [ImageFile("a.jpg", Path("a.jpg"))]
    found = labels_of_files(samples, files, CLASSES, Path("x"), strict=False)
    assert found.by_image == {"a.jpg": (0,)}
    with pytest.raises(DataError, match="no class 'zebra'"):
        labels_of_files(samples, files, CLASSES, Path("x"), strict=True)
