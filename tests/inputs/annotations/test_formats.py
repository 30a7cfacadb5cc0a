from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations.formats import ANNOTATION_FORMATS, classes_of, read_annotations
from wsloc.records import Classes, Sample


def lay_out(root: Path, annotation_format: str) -> Path:
    """The smallest data set of a format; gives the path to read it from."""
    (root / "n01" / "images").mkdir(parents=True)
    (root / "n01" / "images" / "a.jpg").touch()
    if annotation_format == "tiny-imagenet":
        (root / "n01" / "n01_boxes.txt").write_text("a.jpg 0 0 9 9\n")
    if annotation_format == "labels-csv":
        (root / "labels.csv").write_text("image,label\nn01/images/a.jpg,n01\n")
        return root / "labels.csv"
    return root


@pytest.mark.parametrize("annotation_format", ["tiny-imagenet", "labels-csv", "folder"])
def test_every_format_is_recognized_and_can_be_named(tmp_path: Path, annotation_format: str) -> None:
    root = lay_out(tmp_path, annotation_format)
    matching = [name for name, reader in ANNOTATION_FORMATS.items() if reader.matches(root)]
    assert matching[0] == annotation_format
    samples = read_annotations(root)
    assert samples == read_annotations(root, annotation_format)
    assert [(sample.image, sample.labels) for sample in samples] == [("n01/images/a.jpg", ("n01",))]
    assert bool(samples[0].boxes) == (annotation_format == "tiny-imagenet")


def test_what_is_no_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone is not there: name a data set's folder or annotation file"):
        read_annotations(tmp_path / "gone")
    with pytest.raises(
        DataError,
        match=r"its format is none of tiny-imagenet, .*, labels-csv, masks, folder: the folder is empty$",
    ):
        read_annotations(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"folder: masks are looked for in a folder called masks, beside one .* images"
    ):
        read_annotations(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.txt: its format is none of tiny-imagenet, .*, masks, folder$"):
        read_annotations(tmp_path / "a.txt")
    with pytest.raises(DataError, match="unknown annotation format 'xml': auto, tiny-imagenet"):
        read_annotations(tmp_path, "xml")


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Path) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refusing)
    with pytest.raises(DataError, match=f"^cannot read {tmp_path}: Permission denied$"):
        read_annotations(tmp_path)


SAMPLES = [Sample("a", None, ("n02", "n01")), Sample("b", None, ("n02",)), Sample("c", None, ("n03",))]


def test_classes_are_sorted_by_id_and_named_by_themselves(tmp_path: Path) -> None:
    assert classes_of(SAMPLES, tmp_path) == Classes(("n01", "n02", "n03"), ("n01", "n02", "n03"))


@pytest.mark.parametrize("place", ["words.txt", "train/words.txt"])
def test_classes_are_named_by_words_txt_here_or_above(tmp_path: Path, place: str) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / place).write_bytes("\ufeffn01\ttench, Tinca tinca\r\nn02\tgoldfish\r\n\r\nn03\t\r\n".encode())
    assert classes_of(SAMPLES, tmp_path / "train").names == ("tench", "goldfish", "n03")


def test_words_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"n01\tcaf\xe9\n")
    with pytest.raises(DataError, match=r"cannot read .*words\.txt: 'utf-8'"):
        classes_of(SAMPLES, tmp_path)
