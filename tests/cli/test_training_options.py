"""Options of `wsloc train`: those given change the recipe, and the help tells its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from wsloc.cli import training_options
from wsloc.training.records import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ("EpochsOption", "epochs"),
        ("TrainingBatchSizeOption", "batch_size"),
        ("AccumulateOption", "accumulate"),
        ("OptimizerOption", "optimizer"),
        ("LearningRateOption", "learning_rate"),
        ("ScheduleOption", "schedule"),
        ("DecayEveryOption", "decay_every"),
        ("DecayFactorOption", "decay_factor"),
        ("WarmupOption", "warmup"),
        ("MomentumOption", "momentum"),
        ("WeightDecayOption", "weight_decay"),
        ("TrainingImageSizeOption", "image_size"),
        ("BackboneOption", "backbone"),
    ],
)
def test_the_help_shows_the_defaults_of_the_small_recipe(option: str, field: str) -> None:
    shown = get_args(getattr(training_options, option))[1].show_default
    value = getattr(Recipe(), field)
    assert type(value)(shown) == value
