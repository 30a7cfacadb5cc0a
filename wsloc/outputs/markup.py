"""HTML and SVG, element by element: every text is escaped unless it is markup already."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

VOID = frozenset({"meta", "br", "hr", "input", "img", "col", "wbr"})
# Control characters, marks that turn the direction of what follows, and halves of characters.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


class Markup(str):
    """Text that is markup already; made by this file's functions and from files of the package only."""

    __slots__ = ()


def text(words: object) -> Markup:
    """Words as they may stand anywhere in a page, attributes too; what cannot be seen is spelled out.

    A `Markup` is given back as it is.
    """
    if isinstance(words, Markup):
        return words
    return Markup(escape(_UNSEEN.sub(lambda sign: repr(sign[0])[1:-1], str(words))))


def joined(parts: Iterable[object]) -> Markup:
    """Parts one after another; None is passed over."""
    return Markup("".join(text(part) for part in parts if part is not None))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element: `tag("td", 3, class_="number")`.

    Args:
        name: of the element.
        children: what stands inside, as `joined` takes it.
        attributes: a trailing underscore is dropped, the others become hyphens. True is an attribute without
            value; None and False leave it out.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        words.append(attribute if value is True else f'{attribute}="{text(value)}"')
    opening = f"<{' '.join(words)}>"
    return Markup(opening if name in VOID else f"{opening}{joined(children)}</{name}>")
