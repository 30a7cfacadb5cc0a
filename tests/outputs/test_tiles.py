"""Sheets of pictures."""

from __future__ import annotations

from PIL import Image

from wsloc.outputs.tiles import GAP, tiled


def test_pictures_stand_in_rows_with_gaps() -> None:
    red, blue = Image.new("RGB", (10, 6), "red"), Image.new("RGB", (10, 6), "blue")
    sheet = tiled([[red, blue], [blue]])
    assert sheet.size == (20 + GAP, 12 + GAP)
    assert sheet.getpixel((0, 0)) == (255, 0, 0)
    assert sheet.getpixel((10 + GAP, 0)) == (0, 0, 255)
    assert sheet.getpixel((0, 6 + GAP)) == (0, 0, 255)
    assert sheet.getpixel((11, 0)) == (255, 255, 255)
    assert sheet.getpixel((10 + GAP, 6 + GAP)) == (255, 255, 255)


def test_large_pictures_are_reduced_and_left_as_they_were() -> None:
    wide, tall = Image.new("RGB", (400, 100), "red"), Image.new("RGB", (50, 200), "blue")
    sheet = tiled([[wide, tall]], side=100)
    assert sheet.size == (2 * 100 + GAP, 100)  # cells of the widest and of the highest
    assert wide.size == (400, 100)
