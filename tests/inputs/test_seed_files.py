from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.mask_classes import MaskClass
from wsloc.inputs.seed_files import find_seeds

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = ["a.jpg", "sub/b.jpg", "c.jpg"]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    """What `wsloc seeds --format png,gray` leaves."""
    for name in ("png/a.png", "png/sub/b.png", "png/other.png", "gray/a.png", "overlays/a.jpg.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    classes = [{"value": 1, "class_index": 0, "class_id": "n1", "class_name": "cat"}]
    (tmp_path / "classes.json").write_text(json.dumps({"schema_version": 1, "classes": classes}))
    return tmp_path


def test_seeds_with_their_classes(seeds: Path) -> None:
    found = find_seeds(seeds, IMAGES)
    assert found.folder == seeds / "png"
    assert found.paths == {"a.jpg": seeds / "png/a.png", "sub/b.jpg": seeds / "png/sub/b.png"}
    assert found.others == ("other.png",)
    assert found.classes == (MaskClass(1, "n1", "cat"),)


def test_one_of_its_formats_may_be_named(seeds: Path) -> None:
    found = find_seeds(seeds / "gray", IMAGES)
    assert (found.folder, list(found.paths)) == (seeds / "gray", ["a.jpg"])
    assert found.classes == (MaskClass(1, "n1", "cat"),)


def test_any_folder_of_pngs(tmp_path: Path) -> None:
    (tmp_path / "c.png").touch()
    (tmp_path / "c.npy").touch()  # no seeds
    found = find_seeds(tmp_path, IMAGES)
    assert found.paths == {"c.jpg": tmp_path / "c.png"}
    assert found.classes is None
    assert found.others == ()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone: is no folder of seeds"):
        find_seeds(tmp_path / "gone", IMAGES)
    with pytest.raises(DataError, match=r"no mask file in it; looked for a\.jpg\.png"):
        find_seeds(tmp_path, IMAGES)
    (tmp_path / "classes.json").write_text("{}")
    with pytest.raises(DataError, match="make seeds with --format png or gray"):
        find_seeds(tmp_path, IMAGES)
    (tmp_path / "gray").mkdir()
    (tmp_path / "gray/x.png").touch()
    with pytest.raises(DataError, match="none of its 1 mask files is of an image"):
        find_seeds(tmp_path, IMAGES)
    (tmp_path / "gray/a.png").touch()
    with pytest.raises(DataError, match=r"classes\.json: is no list of mask classes"):
        find_seeds(tmp_path, IMAGES)
    (tmp_path / "gray/A.png").touch()
    (tmp_path / "gray/sub").mkdir()
    (tmp_path / "gray/a.jpg.png").touch()
    with pytest.raises(DataError, match=r"a\.jpg: has two masks"):
        find_seeds(tmp_path, IMAGES)
