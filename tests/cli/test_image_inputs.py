from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from wsloc.cli.image_inputs import images_apart
from wsloc.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    return path


def test_pictures_of_an_earlier_run_are_passed_over(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    out = tmp_path / "out"
    drawn, mine = picture(out / "overlays/a.png"), picture(out / "overlays/mine.png")
    found = images_apart([str(tmp_path)], out, lambda: [drawn])
    assert [file.path for file in found] == [tmp_path / "a.png", mine]
    assert len(images_apart([str(tmp_path)], tmp_path / "other", lambda: [drawn])) == 3


def test_naming_them_is_an_error(tmp_path: Path) -> None:
    drawn = picture(tmp_path / "out/overlays/a.png")
    with pytest.raises(ImageError, match=r"a\.png was drawn by the earlier run in .*out"):
        images_apart([str(drawn)], tmp_path / "out", lambda: [drawn])
    with pytest.raises(ImageError, match="no image found but the pictures of an earlier run"):
        images_apart([str(tmp_path)], tmp_path / "out", lambda: [drawn])
