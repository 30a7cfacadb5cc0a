from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from wsloc.training.optimizers import make_optimizer
from wsloc.training.records import Recipe

RECIPE = Recipe(learning_rate=0.25, weight_decay=1e-3, momentum=0.5)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_biases_and_norms_do_not_decay(name: str) -> None:
    decayed, others = make_optimizer(network(), replace(RECIPE, optimizer=name)).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (1e-3, 0)
    assert {value.ndim for value in decayed["params"]} == {2, 4}
    assert {value.ndim for value in others["params"]} == {1}
    assert decayed["lr"] == others["lr"] == 0.25


@pytest.mark.parametrize(
    ("changes", "kind", "defaults"),
    [
        ({}, torch.optim.SGD, {"momentum": 0.5, "nesterov": True}),
        ({"nesterov": False}, torch.optim.SGD, {"momentum": 0.5, "nesterov": False}),
        ({"momentum": 0.0}, torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        ({"optimizer": "adam"}, torch.optim.Adam, {}),
        ({"optimizer": "adamw"}, torch.optim.AdamW, {}),
    ],
)
def test_it_is_the_recipes(changes: dict[str, Any], kind: type, defaults: dict[str, Any]) -> None:
    made = make_optimizer(network(), replace(RECIPE, **changes))
    assert type(made) is kind
    assert {name: made.defaults[name] for name in defaults} == defaults
