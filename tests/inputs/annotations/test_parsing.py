"""Lines and boxes: what is read, and every way in which they are refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations.parsing import checked_box, inclusive_box, numbered_lines, positive_size

if TYPE_CHECKING:
    from pathlib import Path


def test_lines_keep_their_numbers_past_empty_ones(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffa b\r\n\r\n  é\u2028c  \n\n".encode())
    assert list(numbered_lines(path)) == [(1, "a b"), (3, "é\u2028c")]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"latin\.txt: it is no UTF-8 text"):
        list(numbered_lines(tmp_path / "latin.txt"))
    with pytest.raises(DataError, match=r"cannot read .*absent\.txt: No such file"):
        list(numbered_lines(tmp_path / "absent.txt"))


def test_inclusive_corners_become_half_open() -> None:
    assert inclusive_box(["0", "10", "63", "58"], "f:1") == (0, 10, 64, 59)
    assert inclusive_box(["1", "11", "64", "59"], "f:1", first=1) == (0, 10, 64, 59)
    assert inclusive_box(["45.7", "1", "45.7", "1"], "f:1", first=1) == pytest.approx((44.7, 0, 45.7, 1))


def test_the_last_corner_may_touch_the_image_size() -> None:
    assert inclusive_box(["0", "0", "500", "375"], "f:1", (375, 500)) == (0, 0, 501, 376)
    assert inclusive_box(["499", "374", "499", "374"], "f:1", (375, 500)) == (499, 374, 500, 375)
    assert inclusive_box(["1", "1", "500", "375"], "f:1", (375, 500), first=1) == (0, 0, 500, 375)


@pytest.mark.parametrize(
    ("corners", "first", "reason"),
    [
        (["1", "2", "3"], 0, "is not the four numbers"),
        (["1", "2", "3", "4", "5"], 0, "is not the four numbers"),
        (["1", "2", "three", "4"], 0, "is not the four numbers"),
        (["9", "2", "8", "4"], 0, "ends before it begins"),
        (["1", "4", "8", "3"], 0, "ends before it begins"),
        (["1", "2", "0.5", "4"], 0, "ends before it begins"),
        (["nan", "2", "8", "4"], 0, "not finite"),
        (["1", "2", "inf", "4"], 0, "not finite"),
        (["-1", "2", "8", "4"], 0, "reaches out of the image (500 x 375 pixels, counted from 0)"),
        (["0", "2", "8", "4"], 1, "reaches out of the image (500 x 375 pixels, counted from 1)"),
        (["0", "0", "501", "10"], 0, "reaches out"),
        (["0", "0", "10", "376"], 0, "reaches out"),
        (["500", "0", "500", "10"], 0, "reaches out"),
        (["0", "375", "10", "375"], 0, "reaches out"),
    ],
)
def test_malformed_boxes(corners: list[str], first: int, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^f:7: the box `{' '.join(corners)}` .*{re.escape(reason)}"):
        inclusive_box(corners, "f:7", (375, 500), first=first)


def test_without_a_size_the_far_side_is_open() -> None:
    assert inclusive_box(["0", "0", "9999", "9999"], "f:1") == (0, 0, 10000, 10000)
    with pytest.raises(DataError, match=r"reaches out of the image \(counted from 0\)"):
        inclusive_box(["-3", "0", "9", "9"], "f:1")
    with pytest.raises(DataError, match="not finite"):
        inclusive_box(["0", "0", "inf", "9"], "f:1")


def test_half_open_boxes_must_have_an_extent() -> None:
    assert checked_box((0.5, 0.5, 1.0, 1.0), "f: b") == (0.5, 0.5, 1.0, 1.0)
    with pytest.raises(DataError, match="f: b is empty"):
        checked_box((1.0, 0.0, 1.0, 1.0), "f: b")


def test_sizes_are_height_and_width() -> None:
    assert positive_size("500", 375, "f:1") == (375, 500)
    for width, height in (("0", "5"), ("5", "-5"), ("5.5", "5"), (None, 5), ("", "5"), ("nan", 5)):
        with pytest.raises(DataError, match=r"f:1: width .* not whole pixels"):
            positive_size(width, height, "f:1")
