from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.outputs.seed_files.examples import VOC, seeds
from wsloc.errors import OutputError
from wsloc.outputs.seed_files.formats import SEED_FORMATS
from wsloc.regions.frames import maps_to_image
from wsloc.seeding.writing import SeedWriter

MASK = np.repeat(np.repeat(np.array([[0, 1, 255], [2, 1, 0]]), 20, axis=0), 20, axis=1)


def content(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_format_of_an_image(tmp_path: Path) -> None:
    writer = SeedWriter(tmp_path, SEED_FORMATS, VOC)
    writer.write(seeds(MASK), np.zeros((40, 60, 3), np.uint8))
    assert content(tmp_path) == {
        "png/a/b.png",
        "gray/a/b.png",
        "irn/a/b.npy",
        "psa/a/b.npy",
        "npz/a/b.npz",
        "overlays/a/b.jpg.jpg",
    }
    assert (np.array(Image.open(tmp_path / "png/a/b.png")) == VOC.numbered(seeds(MASK))).all()


def test_maps_are_divided_by_their_maximum_at_the_images_size(tmp_path: Path) -> None:
    found = seeds(MASK)
    maps = np.random.default_rng(0).random((2, 9, 9), np.float32) * np.float32(0.3)
    maps[1] = 0
    SeedWriter(tmp_path, ("psa",), VOC).write(replace(found, activation_maps=maps))
    read = np.load(tmp_path / "psa/a/b.npy", allow_pickle=True).item()
    expected = maps_to_image(maps, (40, 60))[0]
    np.testing.assert_allclose(read[7], expected / expected.max(), rtol=1e-6)
    assert not read[19].any()
    assert content(tmp_path) == {"psa/a/b.npy"}


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if "gray" in path.parts:
            write(path, data[:7])
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OutputError, match=r"cannot write .*gray/a/b\.png: No space left on device"):
        SeedWriter(tmp_path, ("png", "gray", "irn"), VOC).write(seeds())
    assert content(tmp_path) == {"png/a/b.png"}
