from __future__ import annotations

import math
from dataclasses import fields

import pytest

from wsloc.errors import UnsupportedError
from wsloc.methods import MAPS
from wsloc.networks.map_operations import NORMALIZATIONS
from wsloc.request import BOX_RULES, LocalizeOptions, MapOptions, Request


def test_whatever_is_known_is_taken() -> None:
    for name in MAPS:
        assert Request(map=name).map == name
    for rule in BOX_RULES:
        assert Request(box=rule).box == rule
    for name in NORMALIZATIONS:
        assert Request(normalization=name).normalization == name
    Request(mass=1, map_threshold=0, min_probability=1, boxes_per_class=7)
    Request(mass=1e-9, map_threshold=1, min_probability=0)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        (
            "map",
            "heat",
            "unknown map 'heat': choose one of entropy-class, entropy-top5, entropy, entropy-bew1",
        ),
        ("box", "round", "unknown box 'round': choose one of mass, threshold"),
        ("normalization", "sum", "unknown normalization 'sum': choose one of max, minmax, none"),
        ("mass", 0, r"mass is a fraction in \(0, 1\], not 0"),
        ("mass", 1.01, r"mass is a fraction in \(0, 1\], not 1.01"),
        ("mass", math.nan, r"mass is a fraction in \(0, 1\], not nan"),
        ("map_threshold", -0.1, "map_threshold is a fraction in 0-1, not -0.1"),
        ("map_threshold", 20, "map_threshold is a fraction in 0-1, not 20"),
        ("min_probability", 93, "min_probability is a fraction in 0-1, not 93"),
        ("min_probability", math.nan, "min_probability is a fraction in 0-1, not nan"),
        ("boxes_per_class", 0, "boxes_per_class is a whole number of at least 1, not 0"),
        ("boxes_per_class", 1.5, "boxes_per_class is a whole number of at least 1, not 1.5"),
        ("mass", "x", "mass is a number, not 'x'"),
        ("min_probability", None, "min_probability is a number, not None"),
    ],
)
def test_anything_else_is_refused(option: str, value: object, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        Request(**{option: value})  # type: ignore[arg-type]  # any option


def test_classes_by_rank_by_name_and_by_image() -> None:
    assert not Request(classes=5).names_classes
    assert Request(classes=5).named_classes("a/b.jpg") == ()
    assert Request(classes=(3, 1)).names_classes
    assert Request(classes=(3, 1)).named_classes("a/b.jpg") == (3, 1)
    labels = {"a/b.jpg": (2,), "c.jpg": (0, 4)}
    request = Request(classes=labels)
    assert request.names_classes
    assert request.matched(["a/b.jpg", "x/c.jpg"]).classes == {"a/b.jpg": (2,), "x/c.jpg": (0, 4)}
    assert request.matched(["x/c.jpg", "y/c.jpg"]).named_classes("y/c.jpg") == ()
    assert Request(classes=5).matched(["a"]).classes == 5


def test_the_keyword_arguments_are_the_attributes() -> None:
    attributes = {field.name for field in fields(Request)}
    assert set(MapOptions.__annotations__) == attributes - {"classes"}
    assert set(LocalizeOptions.__annotations__) == attributes | {"batch_size"}
