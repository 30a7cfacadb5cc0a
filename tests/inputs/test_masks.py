from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.inputs.masks import read_mask

if TYPE_CHECKING:
    from pathlib import Path

INDICES = np.array([[0, 1], [20, 255]], np.uint8)


def test_palette_indices_are_not_turned_into_colours(tmp_path: Path) -> None:
    picture = Image.frombytes("P", (2, 2), INDICES.tobytes())
    picture.putpalette([7, 8, 9] * 256)
    picture.save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").tolist() == INDICES.tolist()


def test_gray_and_binary_masks(tmp_path: Path) -> None:
    Image.fromarray(INDICES).save(tmp_path / "gray.png")
    Image.fromarray(INDICES > 0).save(tmp_path / "binary.png")
    assert read_mask(tmp_path / "gray.png").tolist() == INDICES.tolist()
    assert read_mask(tmp_path / "binary.png").tolist() == [[0, 1], [1, 1]]


def test_colour_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "colour.png")
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG")
    for name in ("colour.png", "damaged.png", "missing.png"):
        with pytest.raises(DataError, match=name):
            read_mask(tmp_path / name)
