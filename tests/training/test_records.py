"""Recipes are sound, their schedule is the one described, and an epoch's figures survive their file."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsloc.errors import TrainingError
from wsloc.inputs.training_set import Augmentation
from wsloc.training.records import EpochFigures, Recipe, kept_epoch


def figures(epoch: int = 0, error: float | None = None) -> EpochFigures:
    loss = None if error is None else 1.5
    return EpochFigures(epoch, 0.1, 2.0, 0.5, 3.0, {"mean_lambda": 0.25}, loss, error)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epochs": 0}, "epochs must be 1 or greater, not 0"),
        ({"batch_size": -1}, "batch size must be 1 or greater, not -1"),
        ({"image_size": 0}, "image size"),
        ({"learning_rate": 0.0}, "learning rate must be greater than 0"),
        ({"learning_rate": math.nan}, "not nan"),
        ({"learning_rate": math.inf}, "not inf"),
        ({"warmup": -0.5}, "warmup"),
        ({"warmup": math.inf}, "warmup"),
        ({"momentum": 1.5}, "momentum must be from 0 to 1"),
        ({"weight_decay": -1e-4}, "weight decay"),
        ({"random_seed": -1}, "random seed"),
        ({"random_seed": 2**32}, "random seed must be from 0 to 4294967295"),
        ({"precision": "float16"}, "'float16' is not known: choose float32 or bfloat16"),
        ({"augmentation": Augmentation(smallest_crop=0)}, "smallest crop must be greater than 0"),
        ({"augmentation": Augmentation(smallest_crop=1.1)}, "smallest crop"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        Recipe(**values)


def test_the_ends_of_the_ranges_are_accepted() -> None:
    Recipe(epochs=1, batch_size=1, image_size=1, warmup=0, momentum=0, weight_decay=0, random_seed=2**32 - 1)
    Recipe(momentum=1, augmentation=Augmentation(smallest_crop=1))


def test_the_rate_grows_to_its_peak_and_falls_to_nothing() -> None:
    recipe = Recipe(epochs=10, learning_rate=0.4, warmup=2)
    assert recipe.learning_rate_at(0) == pytest.approx(0.4e-3)  # not 0: the first step would be lost
    assert recipe.learning_rate_at(1) == pytest.approx(0.2)
    assert recipe.learning_rate_at(2) == pytest.approx(0.4)
    assert recipe.learning_rate_at(4) == pytest.approx(0.4 * (1 + math.cos(math.pi / 4)) / 2)
    assert recipe.learning_rate_at(6) == pytest.approx(0.2)
    assert recipe.learning_rate_at(10) == pytest.approx(0, abs=1e-12)


def test_the_rate_without_warm_up_begins_at_its_peak() -> None:
    assert Recipe(epochs=3, learning_rate=0.2, warmup=0).learning_rate_at(0) == 0.2


@settings(max_examples=100, deadline=None)
@given(epochs=st.integers(1, 50), warmup=st.floats(0, 100), share=st.floats(0, 1))
def test_the_rate_stays_between_0_and_its_peak(epochs: int, warmup: float, share: float) -> None:
    recipe = Recipe(epochs=epochs, learning_rate=0.3, warmup=warmup)
    assert 0 <= recipe.learning_rate_at(share * epochs) <= 0.3


@pytest.mark.parametrize("error", [None, 0.0, 0.75])
def test_figures_survive_their_line_of_json(error: float | None) -> None:
    record = figures(error=error).to_dict()
    assert record["mean_lambda"] == 0.25
    assert ("validation_error" in record) == (error is not None)
    assert EpochFigures.from_dict(json.loads(json.dumps(record))) == figures(error=error)


def test_figures_that_lack_one_are_refused() -> None:
    record = figures().to_dict()
    del record["train_loss"]
    with pytest.raises(TypeError, match="train_loss"):
        EpochFigures.from_dict(record)


@pytest.mark.parametrize(
    ("errors", "kept"),
    [
        ([None, None, None], 2),
        ([0.5, 0.25, 0.75], 1),
        ([0.5, 0.25, 0.25], 1),
        ([0.0, 0.0], 0),
        ([0.5, 0.0, 0.25], 1),
        ([0.75], 0),
    ],
)
def test_the_epoch_kept_is_the_best_or_without_validation_the_last(
    errors: list[float | None], kept: int
) -> None:
    history = [figures(epoch, error) for epoch, error in enumerate(errors)]
    assert kept_epoch(history).epoch == kept


# Schedules and limits


def test_a_step_schedule_goes_by_epochs_or_by_steps() -> None:
    recipe = Recipe(epochs=9, learning_rate=0.8, schedule="step", decay_every=3, decay_factor=0.5, warmup=0)
    assert [recipe.learning_rate_at(epoch, 10) for epoch in (0, 2.9, 3, 6)] == [0.8, 0.8, 0.4, 0.2]
    by_steps = replace(recipe, decay_steps=15)
    assert [by_steps.learning_rate_at(step / 10, 10) for step in (0, 14, 15, 30)] == [0.8, 0.8, 0.4, 0.2]


def test_a_constant_rate_is_warmed_up_only() -> None:
    recipe = Recipe(epochs=9, learning_rate=0.8, schedule="constant", warmup=2)
    assert [recipe.learning_rate_at(epoch) for epoch in (1, 2, 8.9)] == [0.4, 0.8, 0.8]


def test_a_limit_of_steps_shortens_the_cosine() -> None:
    recipe = Recipe(epochs=10, learning_rate=0.8, warmup=0, max_steps=40)
    assert recipe.length(10) == 4
    assert recipe.length(2) == 10
    assert recipe.learning_rate_at(2, 10) == pytest.approx(0.4)
    assert recipe.learning_rate_at(4, 10) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "lion"},
        {"schedule": "linear"},
        {"accumulate": 0},
        {"max_steps": 0},
        {"decay_every": 0},
        {"decay_steps": -1},
        {"decay_factor": 0},
        {"ema": 1.0},
        {"augmentation": Augmentation(shorter_side=(40, 20))},
        {"augmentation": Augmentation(shorter_side=(0, 20))},
    ],
)
def test_what_is_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        Recipe(**values)
