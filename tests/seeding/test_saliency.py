from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.regions.seed_rules import parse_background
from wsloc.seeding.saliency import find_saliency, read_saliency

if TYPE_CHECKING:
    from pathlib import Path


def test_gray_levels_are_divided_by_255(tmp_path: Path) -> None:
    levels = np.array([[0, 15, 16], [255, 128, 51]], np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(levels).save(tmp_path / "a/b.png")
    paths = find_saliency(parse_background(f"saliency:{tmp_path}:0.06"), ["a/b.jpg", "c.jpg"])
    assert paths is not None
    assert list(paths) == ["a/b.jpg"]
    np.testing.assert_allclose(read_saliency("a/b.jpg", paths, (2, 3)), levels / 255)
    with pytest.raises(
        DataError, match="has no saliency map: one of its name, png or npy, is wanted in the folder"
    ):
        read_saliency("c.jpg", paths, (2, 3))


def test_other_rules_look_for_nothing() -> None:
    assert find_saliency(parse_background("constant:0.2"), ["a.jpg"]) is None


def test_flaws_are_named(tmp_path: Path) -> None:
    rule = parse_background(f"saliency:{tmp_path}")
    with pytest.raises(DataError, match="no map file in it"):
        find_saliency(rule, ["a.jpg"])
    with pytest.raises(DataError, match="none: is no folder"):
        find_saliency(parse_background(f"saliency:{tmp_path / 'none'}"), ["a.jpg"])
    np.save(tmp_path / "a.npy", np.full((4, 6), 200.0))
    np.save(tmp_path / "b.npy", np.full((4, 6), np.nan))
    paths = find_saliency(rule, ["a.jpg", "b.jpg"])
    assert paths is not None
    with pytest.raises(DataError, match=r"a\.npy: this saliency map is of 6 x 4 pixels, its image of 4 x 6"):
        read_saliency("a.jpg", paths, (6, 4))
    with pytest.raises(DataError, match=r"a\.npy: saliency is in 0-1"):
        read_saliency("a.jpg", paths, (4, 6))
