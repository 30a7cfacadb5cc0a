from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.example_localizers import tiny_localizer
from wsloc.errors import UnsupportedError, UsageError
from wsloc.methods import MAPS
from wsloc.regions.seed_rules import parse_background, parse_foreground
from wsloc.seeding.request import SeedRequest, plan_seeds, seed_map

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.localizer import Localizer


def plan(
    localizer: Localizer, *, name: str | None = None, foreground: str = "", background: str = ""
) -> tuple[str, str, str]:
    request = SeedRequest(
        map=name,
        foreground=parse_foreground(foreground) if foreground else None,
        background=parse_background(background) if background else None,
    )
    found = plan_seeds(localizer, request)
    return found.map, str(found.foreground), str(found.background)


def test_defaults_of_each_network(ep: Localizer, gap: Localizer, fickle: Localizer) -> None:
    assert plan(ep) == ("cam", "max:0.3", "constant:0.2")
    assert plan(gap) == ("cam", "max:0.2", "constant:0.2")
    assert plan(fickle) == ("stochastic", "stochastic:0.35", "constant:0.2")
    assert plan(tiny_localizer()) == (
        "cam",
        "max:0.2",
        "constant:0.2",
    )  # a ready-made model with a linear head
    assert seed_map(tiny_localizer()) == "cam"


def test_what_is_named_goes_first(ep: Localizer, gap: Localizer, fickle: Localizer) -> None:
    assert plan(ep, foreground="max:0.2") == ("cam", "max:0.2", "constant:0.2")
    assert plan(ep, background="confidence:0.5,0.1") == ("cam", "max:0.5", "confidence:0.5,0.1")
    assert plan(gap, name="gradcam", foreground="auto") == ("gradcam", "auto", "rest")
    assert plan(fickle, name="stochastic-mean") == ("stochastic-mean", "max:0.2", "constant:0.2")
    assert plan(fickle, foreground="max:0.5")[1] == "max:0.5"


def test_the_mean_over_draws_is_looked_at_where_it_is_needed(fickle: Localizer, gap: Localizer) -> None:
    assert plan_seeds(fickle, SeedRequest()).maps == ("stochastic", "stochastic-mean")
    assert plan_seeds(fickle, SeedRequest(foreground=parse_foreground("max"))).maps == ("stochastic",)
    assert plan_seeds(gap, SeedRequest()).maps == ("cam",)


@pytest.mark.parametrize("name", [name for name, kind in MAPS.items() if not kind.per_class])
def test_maps_that_carry_no_class_are_refused(name: str, showing: Callable[[str], Localizer]) -> None:
    with pytest.raises(UnsupportedError, match=f"the map {name} carries no class, and seeds are of classes"):
        plan_seeds(showing(name), SeedRequest(map=name))


def test_what_does_not_go_together_is_refused(gap: Localizer, fickle: Localizer) -> None:
    with pytest.raises(UnsupportedError, match=r"the rule stochastic:0\.4 is for the map stochastic"):
        plan(gap, foreground="stochastic:0.4")
    with pytest.raises(UnsupportedError, match="not for stochastic-mean"):
        plan(fickle, name="stochastic-mean", foreground="stochastic:0.4")
    with pytest.raises(UnsupportedError):
        plan(gap, name="stochastic")
    with pytest.raises(UsageError, match="name the folder of the saliency maps"):
        plan(gap, background="saliency:0.06")


def test_a_crf_needs_its_package(gap: Localizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.delitem(sys.modules, "pydensecrf.densecrf", raising=False)
    with pytest.raises(UnsupportedError, match="needs the package pydensecrf2"):
        plan_seeds(gap, SeedRequest(crf=True))
    assert not plan_seeds(gap, SeedRequest()).crf
