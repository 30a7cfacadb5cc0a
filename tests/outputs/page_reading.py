"""Reads a page as strictly as it was written: every element closed, in its order."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "input", "img", "col", "wbr"}


@dataclass
class Element:
    """An element with its attributes and all text inside it."""

    name: str
    attributes: dict[str, str | None]
    parents: tuple[str, ...]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words)


class Page(HTMLParser):
    """`Page(text).elements`; an element left open or closed out of order is an AssertionError."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self.open: list[Element] = []
        self.feed(text)
        self.close()
        assert [element.name for element in self.open] == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} names an attribute twice"
        element = Element(tag, dict(attrs), tuple(parent.name for parent in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.words.append(data)

    def all(self, name: str, class_: str | None = None) -> list[Element]:
        """Elements of that name, and of that class where one is given."""
        return [
            element
            for element in self.elements
            if element.name == name
            and (class_ is None or class_ in (element.attributes.get("class") or "").split())
        ]
