from __future__ import annotations

from pathlib import Path

import pytest

from wsloc.words import printable, utf8


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("ünï 金魚 [b] :x:", "ünï 金魚 [b] :x:"),
        ("two\nlines\t", "two\\nlines\\t"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("bad\udcff.png", "bad\\xff.png"),
        (Path("a/b\r.png"), "a/b\\r.png"),
        ("\u202eright to left\x9b", "\\u202eright to left\\x9b"),
    ],
)
def test_what_no_line_can_hold_is_escaped(words: str | Path, line: str) -> None:
    assert printable(words) == line


def test_undecodable_bytes_are_in_hexadecimal() -> None:
    assert utf8("a\udce9\n") == "a\\xe9\n"
