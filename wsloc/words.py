"""Words from outside - file names, class names of somebody's checkpoint - on one line of a message or a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def utf8(text: str) -> str:
    """A path's text with undecodable bytes, for which Python has lone surrogates, written out in hexadecimal."""
    return re.sub("[\ud800-\udfff]", lambda sign: f"\\x{ord(sign[0]) & 0xFF:02x}", text)


def printable(words: str | Path) -> str:
    """Words for one line: line feeds, other control characters and undecodable bytes escaped.

    A terminal would obey control characters, and the next line of a list would be another entry.
    """
    text = utf8(str(words))
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
