from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from wsloc.outputs import tags
from wsloc.outputs.tags import Tag, draw_tags, find_place, label, load_font, overlap, shortened
from wsloc.records import Prediction

FONT = load_font(14)


@pytest.mark.parametrize(
    ("probability", "percent"),
    [(0.93, "93"), (1.0, "100"), (0.005, "<1"), (0.006, "1"), (0.0149, "1"), (0.004, "<1"), (0, "<1")],
)
def test_a_label_is_the_name_and_a_percentage(
    probability: float, percent: str, predict: Callable[..., Prediction]
) -> None:
    assert label(predict(1, (0.0, 0.0, 1.0, 1.0), probability)) == f"goldfish {percent} %"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tench,  Tinca\ntinca", "tench, Tinca tinca"),
        ("金魚", "n01443537"),  # no glyph at all: the id
        ("goldfish 金魚", "goldfish ..."),
        ("金魚 (goldfish)", "... (goldfish)"),
        ("a金魚b魚c", "a...b...c"),
        ("\udcff", "n01443537"),
        ("fish\x01", "fish..."),
    ],
)
def test_what_the_font_lacks_is_left_out(name: str, shown: str, predict: Callable[..., Prediction]) -> None:
    assert label(predict(1, (0.0, 0.0, 1.0, 1.0), 0.5, name=name)) == f"{shown} 50 %"


def test_pillows_own_font_does_too(
    monkeypatch: pytest.MonkeyPatch, predict: Callable[..., Prediction]
) -> None:
    monkeypatch.setattr(tags, "load_font", ImageFont.load_default)
    tags._has_glyph.cache_clear()
    try:
        assert label(predict(1, (0.0, 0.0, 1.0, 1.0), 0.5, name="Schäferhund")) == "Schaferhund 50 %"
    finally:
        tags._has_glyph.cache_clear()


def test_a_long_name_is_cut_and_keeps_its_percentage() -> None:
    line = "great white shark, white shark, man-eater, Carcharodon carcharias 93 %"
    cut = shortened(line, FONT, 200)
    assert cut.startswith("great white")
    assert cut.endswith("... 93 %")
    assert 150 < FONT.getlength(cut) <= 200
    assert shortened(line, FONT, 10_000) == line
    assert shortened(line, FONT, 1) == "... 93 %"  # never less


sides = st.integers(1, 60)


@given(
    st.lists(st.tuples(st.integers(0, 299), st.integers(0, 299), sides, sides, sides, sides), max_size=12),
    st.sampled_from([(300, 300), (300, 40), (40, 300)]),
)
def test_tags_stay_inside_and_off_one_another(
    wishes: list[tuple[int, int, int, int, int, int]], picture: tuple[int, int]
) -> None:
    taken: list[tuple[int, int, int, int]] = []
    for x, y, across, down, width, height in wishes:
        edges = (x, y, min(x + across, 300), min(y + down, 300))
        place = find_place((width, height), edges, (300, 300), picture, taken)
        if place is None:
            continue
        assert (place[2] - place[0], place[3] - place[1]) == (width, height)
        assert min(place[:2]) >= 0
        assert max(place[2:]) <= 300
        assert all(overlap(place, other) == 0 for other in taken)
        taken.append(place)
    assert bool(taken) == bool(wishes)  # the first always finds one


def test_the_first_choice_is_right_above_the_box() -> None:
    assert find_place((50, 20), (100, 100, 200, 200), (300, 300), (300, 300), ()) == (100, 80, 150, 100)


def test_a_box_at_the_top_has_its_tag_below() -> None:
    assert find_place((50, 20), (100, 0, 200, 50), (300, 300), (300, 300), ()) == (100, 50, 150, 70)


def test_a_margin_is_used_before_the_picture() -> None:
    below = find_place((50, 20), (100, 25, 200, 30), (300, 300), (300, 30), ())
    assert below == (100, 30, 150, 50)  # above would be on the picture
    beside = find_place((50, 20), (25, 100, 30, 200), (300, 300), (30, 300), ())
    assert beside == (30, 100, 80, 120)
    assert find_place((50, 20), (100, 25, 200, 30), (300, 49), (300, 30), ()) == (
        100,
        5,
        150,
        25,
    )  # no room there


def test_no_room_is_no_place() -> None:
    whole = (0, 0, 300, 300)
    assert find_place((50, 20), whole, (300, 300), (300, 300), [whole]) is None
    assert find_place((301, 20), whole, (300, 300), (300, 300), ()) is None


def test_too_many_names_are_counted() -> None:
    image = Image.new("RGB", (300, 240))
    lines = tuple(f"class {number} 1 %" for number in range(100))
    assert tags._fitted_lines(lines, FONT, (280, 240))[-1].startswith("and 9")
    draw_tags(image, [Tag(lines, (86, 180, 233), (0, 0, 300, 240))], 14, image.size)
    assert 0.05 < np.mean(np.asarray(image)[..., 2] > 200) < 0.7


@pytest.mark.parametrize(
    "colour", [(86, 180, 233), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)]
)
def test_words_stand_out_from_their_tag(colour: tuple[int, int, int]) -> None:
    image = Image.new("RGB", (300, 240))
    draw_tags(image, [Tag(("MMMMMMM 93 %",), colour, (10, 100, 200, 200))], 24, image.size)
    words = np.asarray(image)[78:96, 12:150].reshape(-1, 3).tolist()  # within the tag's outline
    contrasts = [contrast((red, green, blue), colour) for red, green, blue in words]
    assert min(contrasts) == 1  # the fill
    assert max(contrasts) > 4.5  # WCAG 2.2, level AA


def contrast(one: tags.Colour, other: tags.Colour) -> float:
    low, high = sorted((tags.luminance(one), tags.luminance(other)))
    return (high + 0.05) / (low + 0.05)
