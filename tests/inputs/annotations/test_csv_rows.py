from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import DataError
from wsloc.inputs.annotations.csv_rows import read_rows

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_have_the_numbers_of_the_lines_they_end_on(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text('\ufeffa,b\r\n"two\nlines",c\n\nd\n', encoding="utf-8")
    assert list(read_rows(path)) == [(1, ["a", "b"]), (3, ["two\nlines", "c"]), (4, []), (5, ["d"])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'a,b\n"open', r"x\.csv:2: unexpected end of data"),
        (b"a\xff", r"cannot read .*x\.csv: it is no UTF-8 text"),
        (None, r"cannot read .*x\.csv: No such file"),
    ],
)
def test_what_is_no_csv_names_the_file(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        list(read_rows(tmp_path / "x.csv"))
