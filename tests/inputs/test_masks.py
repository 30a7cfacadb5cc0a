from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from wsloc.errors import DataError
from wsloc.inputs.masks import (
    has_other_palette,
    has_voc_palette,
    read_mask,
    renumbered,
    value_table,
    voc_palette,
)

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
    Image.fromarray(np.full((2, 2), 256, np.uint16)).save(tmp_path / "deep.png")
    for name in ("colour.png", "damaged.png", "missing.png", "deep.png"):
        with pytest.raises(DataError, match=name):
            read_mask(tmp_path / name)


def test_vocs_colours(tmp_path: Path) -> None:
    colours = np.array(voc_palette()).reshape(256, 3)
    known = {
        0: (0, 0, 0),
        1: (128, 0, 0),
        8: (64, 0, 0),
        12: (64, 0, 128),
        20: (0, 64, 128),
        255: (224, 224, 192),
    }
    assert {value: tuple(colours[value].tolist()) for value in known} == known
    picture = Image.fromarray(INDICES).convert("P")
    for name, palette, expected in (("voc", voc_palette(), True), ("gray", None, False)):
        if palette is not None:
            picture.putpalette(palette)
        (picture if palette is not None else Image.fromarray(INDICES)).save(tmp_path / f"{name}.png")
        assert has_voc_palette(tmp_path / f"{name}.png") is expected
    picture.putpalette([7, 8, 9] * 256)
    picture.save(tmp_path / "other.png")
    assert not has_voc_palette(tmp_path / "other.png")
    with pytest.raises(DataError, match=r"missing\.png"):
        has_voc_palette(tmp_path / "missing.png")


def test_values_get_other_numbers(tmp_path: Path) -> None:
    table = value_table({1: 2, 20: 0})
    assert renumbered(INDICES, table, tmp_path / "mask.png").tolist() == [[0, 2], [0, 255]]
    with pytest.raises(DataError, match=r"mask\.png: holds the value 20, which stands for no class"):
        renumbered(INDICES, value_table({1: 1}), tmp_path / "mask.png")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(path: Path, kind: bytes, data: bytes) -> Path:
    """A mask with another chunk behind its header."""
    Image.fromarray(INDICES).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk(kind, data) + content[33:])
    return path


def test_files_that_pillow_stumbles_over_are_named(tmp_path: Path) -> None:
    broken_profile = with_chunk(tmp_path / "profile.png", b"iCCP", b"x")  # an IndexError in Pillow
    huge = tmp_path / "huge.png"
    Image.fromarray(INDICES).save(huge)
    content = huge.read_bytes()
    header = chunk(b"IHDR", struct.pack(">II", 100_000, 100_000) + content[24:29])
    huge.write_bytes(content[:8] + header + content[33:])
    for path, reason in (
        (broken_profile, "is not an image"),
        (huge, "has more than 178,956,970 pixels"),
    ):
        for read in (read_mask, has_voc_palette):
            with pytest.raises(DataError, match=f"the mask .*{path.name}: {reason}"):
                read(path)


def test_flaws_that_do_not_matter_are_passed_over_without_a_word(tmp_path: Path) -> None:
    path = with_chunk(tmp_path / "animated.png", b"acTL", b"\0" * 8)  # of which Pillow warns
    assert read_mask(path).tolist() == INDICES.tolist()
    assert not has_voc_palette(path)


def test_only_formats_of_pictures_are_opened(tmp_path: Path) -> None:
    """Pillow would run Ghostscript for this one."""
    (tmp_path / "mask.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n%%EndComments\n")
    with pytest.raises(DataError, match=r"mask\.png: is not an image that can be read"):
        read_mask(tmp_path / "mask.png")


def test_other_colours_than_vocs_are_those_of_values_in_use(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = Image.fromarray(np.array([[0, 8], [12, 255]], np.uint8))
    picture.save(path)
    assert not has_other_palette(path)  # gray has no colours
    voc = voc_palette()
    for palette, other in (
        (voc, False),
        (voc[: 3 * 9], True),  # no colour for 12
        ([*voc[: 3 * 9], 1, 2, 3, *voc[3 * 10 :]], False),  # of a value that is not there
        ([*voc[: 3 * 8], 1, 2, 3, *voc[3 * 9 :]], True),
        (voc[3:], True),
    ):
        picture.putpalette(palette)
        picture.save(path)
        assert has_other_palette(path) == other
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"the mask .*a\.png: "):
        has_other_palette(path)
