from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import ImageError
from wsloc.inputs.presence import Presence
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_that_vanishes_is_named_and_one_that_never_was_is_not(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    files = [ImageFile(name, tmp_path / name) for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "listed/1.jpg")]
    presence = Presence(files)
    for file in files:
        presence.require(file)  # an image may be missing
    shutil.rmtree(tmp_path / "a")
    for file in files[2:]:
        presence.require(file)
    with pytest.raises(
        ImageError, match=r"the folder .*/a is no longer there: bring it back, and run the same"
    ):
        presence.require(files[1])
