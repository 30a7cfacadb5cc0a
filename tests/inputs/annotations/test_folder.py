from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations import folder
from wsloc.records import Sample

if TYPE_CHECKING:
    from pathlib import Path


def lay_out(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_the_first_folder_is_the_class(tmp_path: Path) -> None:
    lay_out(tmp_path, "dog/b.jpg", "cat/deep/down/a.PNG", "lone.jpg", "dog/notes.txt", ".git/x.jpg")
    assert folder.matches(tmp_path)
    assert folder.read(tmp_path) == [
        Sample("cat/deep/down/a.PNG", tmp_path / "cat/deep/down/a.PNG", ("cat",)),
        Sample("dog/b.jpg", tmp_path / "dog/b.jpg", ("dog",)),
    ]


def test_one_image_may_be_linked_into_two_classes(tmp_path: Path) -> None:
    lay_out(tmp_path, "cat/a.jpg")
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "a.jpg").symlink_to(tmp_path / "cat" / "a.jpg")
    assert [sample.labels for sample in folder.read(tmp_path)] == [("cat",), ("dog",)]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.jpg", "b.jpg"], "its images lie in no class folder"),
        (["cat/notes.txt"], "no images in it; a folder per class is expected"),
    ],
)
def test_folders_without_classes_or_images(tmp_path: Path, names: list[str], message: str) -> None:
    lay_out(tmp_path, *names)
    with pytest.raises(DataError, match=f"^{tmp_path}: {message}"):
        folder.read(tmp_path)


def test_what_has_no_folders_is_not_this_format(tmp_path: Path) -> None:
    lay_out(tmp_path, "a.jpg", ".git/x.jpg")
    assert not folder.matches(tmp_path)
    assert not folder.matches(tmp_path / "a.jpg")
