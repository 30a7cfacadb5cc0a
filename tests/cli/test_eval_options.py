"""Options of `wsloc eval` name maps and rules, and belong to sources."""

from __future__ import annotations

import inspect

import pytest

from wsloc.cli.eval import evaluate
from wsloc.cli.eval_options import SOURCES_OF, asked_maps, asked_rules, named_source
from wsloc.cli.map_options import LayerName, MapName
from wsloc.errors import UsageError
from wsloc.evaluation.run_keys import BoxRule


def test_rules_stand_in_the_order_of_their_options() -> None:
    assert asked_rules("0.98, 0.9", "0.2", "0.25") == [
        BoxRule("mass", 0.98),
        BoxRule("mass", 0.9),
        BoxRule("threshold", 0.2),
        BoxRule("excess", 0.25),
    ]
    assert asked_rules(None, None, None) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("0", None, None), "--mass: 0 is not a fraction"),
        ((None, "1.5", None), "--map-threshold: 1.5 is not a fraction"),
        ((None, None, "1"), "--excess: 1 is not a fraction"),
        ((None, None, "much"), "--excess: 'much' is no fraction"),
        ((None, None, ","), "--excess ',' names no number"),
    ],
)
def test_what_is_no_fraction_is_refused(given: tuple[str | None, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        asked_rules(*given)


def test_maps_are_named_once() -> None:
    assert asked_maps(MapName.cam, None, None) == ["cam"]
    assert asked_maps(MapName.entropy, LayerName.bew2, None) == ["entropy-bew2"]
    assert asked_maps(None, None, "cam, gradcam") == ["cam", "gradcam"]
    assert asked_maps(None, None, None) == []
    with pytest.raises(UsageError, match="exclude one another"):
        asked_maps(MapName.cam, None, "cam")
    with pytest.raises(UsageError, match="unknown map 'rainbow'"):
        asked_maps(None, None, "cam,rainbow")


def test_every_option_that_belongs_to_a_source_is_there() -> None:
    assert set(SOURCES_OF) <= set(inspect.signature(evaluate).parameters)


def test_exactly_one_source_is_named() -> None:
    assert named_source(network=None, maps="x", seeds=None) == "maps"
    for named in ({}, {"maps": "x", "seeds": "y"}):
        with pytest.raises(UsageError, match=r"name one source: .*--seeds DIR"):
            named_source(**named)
