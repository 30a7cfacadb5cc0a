from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.outputs.page_reading import Page
from wsloc.outputs.markup import Markup, joined, tag, text


def test_an_element_with_children_and_attributes() -> None:
    cell = tag("td", "a & b", tag("small", 3), class_="number", aria_label='say "x"', hidden=True, title=None)
    assert cell == '<td class="number" aria-label="say &quot;x&quot;" hidden>a &amp; b<small>3</small></td>'


def test_elements_that_never_close_do_not() -> None:
    assert tag("br") == "<br>"
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert tag("td") == "<td></td>"


def test_markup_is_not_escaped_twice() -> None:
    once = text("<&>")
    assert once == "&lt;&amp;&gt;"
    assert text(once) == once
    assert joined([once, None, "<", 0]) == "&lt;&amp;&gt;&lt;0"


def test_markup_put_together_with_text_is_text_again() -> None:
    assert not isinstance(tag("b", "x") + "<i>", Markup)
    assert tag("td", tag("b", "x") + "<i>") == "<td>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</td>"


@pytest.mark.parametrize(
    ("words", "seen"),
    [("a\nb", "a\\nb"), ("\x00", "\\x00"), ("a\u202egpj.exe", "a\\u202egpj.exe"), ("\udce9", "\\udce9")],
)
def test_what_cannot_be_seen_is_spelled_out(words: str, seen: str) -> None:
    assert text(words) == seen


@pytest.mark.parametrize("words", ["Käse", "金魚", "می‌خواهم", "👩‍🚀", "a\u00a0b"])
def test_every_script_is_left_as_it_is(words: str) -> None:
    assert text(words) == words


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="<>&\"'/=;!-ab \n\0\u202e\udce9é金"))
def test_no_text_leaves_its_element(words: str) -> None:
    page = Page(tag("p", words, title=words))
    (element,) = page.elements
    assert element.text == element.attributes["title"] == unescape(text(words))
    text(words).encode()
