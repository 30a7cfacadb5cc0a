"""The papers' recipes, as they print them."""

from __future__ import annotations

import pytest

from wsloc.networks.backbones import build_backbone
from wsloc.training.recipes import RECIPES
from wsloc.training.records import Recipe


def test_small_is_the_default() -> None:
    assert RECIPES["small"] == Recipe()


def test_imagenet() -> None:
    """Entropy Pooling, section 4.1."""
    recipe = RECIPES["imagenet"]
    assert (recipe.epochs, recipe.batch_size, recipe.weight_decay) == (100, 256, 1e-4)
    assert (recipe.image_size, recipe.augmentation.shorter_side) == (224, (256, 480))
    rates = [recipe.learning_rate_at(epoch, 5000) for epoch in (0, 29.99, 30, 60, 90, 99.9)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 1e-3, 1e-4, 1e-4])
    inception = RECIPES["imagenet-inception"]
    assert (inception.image_size, inception.augmentation.shorter_side) == (299, (342, 640))
    assert RECIPES["places"].learning_rate_at(0, 100) == 0.01


def test_voc() -> None:
    """Entropy Pooling, section 4.4."""
    recipe = RECIPES["voc"]
    steps = 10_582 // recipe.batch_size
    assert (recipe.batch_size, recipe.weight_decay) == (20, 5e-4)
    rates = [recipe.learning_rate_at(step / steps, steps) for step in (0, 1999, 2000, 4000, 5999)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5, 1e-5])
    assert recipe.length(steps) * steps == pytest.approx(6000)


def test_ficklenet() -> None:
    """FickleNet, section 4.1."""
    recipe = RECIPES["ficklenet"]
    assert (recipe.optimizer, recipe.batch_size, recipe.image_size) == ("adam", 10, 321)
    rates = [recipe.learning_rate_at(epoch, 1058) for epoch in (0, 9.99, 10, 20)]
    assert rates == pytest.approx([1e-3, 1e-3, 5e-4, 2.5e-4])


def test_gain_learns_from_one_image_a_step_at_a_constant_rate() -> None:
    recipe = RECIPES["gain"]
    assert (recipe.backbone, recipe.optimizer, recipe.batch_size, recipe.epochs) == ("vgg16", "sgd", 1, 35)
    assert {recipe.learning_rate_at(epoch, 10_582) for epoch in (0, 17.5, 34.9)} == {1e-5}


@pytest.mark.parametrize("name", RECIPES)
def test_backbones_are_there(name: str) -> None:
    build_backbone(RECIPES[name].backbone, 2)
