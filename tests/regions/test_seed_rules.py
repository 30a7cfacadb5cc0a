from __future__ import annotations

import pytest

from wsloc.errors import UsageError
from wsloc.regions.foreground import FOREGROUND
from wsloc.regions.seed_rules import (
    BACKGROUND_RULES,
    FOREGROUND_RULES,
    SeedRule,
    parse_background,
    parse_foreground,
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("max:0.25", SeedRule("max", (0.25,))),
        ("max", SeedRule("max", (0.2,))),
        (" pixels:1 ", SeedRule("pixels", (1.0,))),
        ("stochastic:.5", SeedRule("stochastic", (0.5,))),
        ("auto", SeedRule("auto")),
    ],
)
def test_foreground(text: str, rule: SeedRule) -> None:
    assert parse_foreground(text) == rule
    assert parse_foreground(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("constant:0.2", SeedRule("constant", (0.2,))),
        ("confidence:0.5,0.1", SeedRule("confidence", (0.5, 0.1))),
        ("confidence", SeedRule("confidence", (0.35, 0.17))),
        ("saliency:maps/dss:0.1", SeedRule("saliency", (0.1,), "maps/dss")),
        ("saliency:maps/dss", SeedRule("saliency", (0.06,), "maps/dss")),
        ("saliency:C:\\maps:0.1", SeedRule("saliency", (0.1,), "C:\\maps")),
        ("saliency:0.1", SeedRule("saliency", (0.1,))),
        ("rest", SeedRule("rest")),
        ("none", SeedRule("none")),
    ],
)
def test_background(text: str, rule: SeedRule) -> None:
    assert parse_background(text) == rule
    assert parse_background(str(rule)) == rule


@pytest.mark.parametrize(
    "text", ["max:", "max:x", "max:0.1,0.2", "max:1.5", "max:-0.1", "max:nan", "auto:0.3"]
)
def test_numbers_that_are_none(text: str) -> None:
    if text == "max:":
        assert parse_foreground(text).values == (0.2,)
        return
    with pytest.raises(UsageError, match=r"^foreground .*: such as (max:0.2|auto), with numbers in 0-1"):
        parse_foreground(text)


def test_rules_that_are_none() -> None:
    with pytest.raises(
        UsageError, match="unknown foreground rule 'constant:1': choose from max, pixels, stochastic, auto"
    ):
        parse_foreground("constant:1")
    with pytest.raises(UsageError, match="unknown background rule ''"):
        parse_background("")
    with pytest.raises(UsageError, match=r"such as saliency:DIR:0\.06"):
        parse_background("saliency:dir:2")
    with pytest.raises(
        UsageError, match="the first number, for foreground, is below the second: give the higher one first"
    ):
        parse_background("confidence:0.1,0.2")


def test_every_rule_has_its_function() -> None:
    assert set(FOREGROUND) == set(FOREGROUND_RULES)
    assert set(FOREGROUND_RULES).isdisjoint(BACKGROUND_RULES)
