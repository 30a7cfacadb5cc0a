"""FickleNet's closed form against the literal one, its draws, and its head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.methods.example_networks import fickle_network
from tests.reference import ficklenet_literal as literal
from wsloc.methods.ficklenet import (
    MODES,
    FickleNetwork,
    aggregated,
    contributions,
    loss,
    single_draws,
)
from wsloc.networks.network import Observation
from wsloc.networks.tasks import LabelledBatch
from wsloc.networks.unit_selection import kept_units

CHANNELS, CLASSES = 6, 3
SIZES = [(4, 4), (5, 7), (6, 3), (1, 1), (11, 8)]
every_kernel = pytest.mark.parametrize("kernel", [1, 3, 5, 9])
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_mode = pytest.mark.parametrize("mode", MODES)


def fickle(kernel: int = 3, mode: str = "stochastic", dtype: torch.dtype = torch.float32) -> FickleNetwork:
    """FickleNet without a trunk: its images are the feature map."""
    torch.manual_seed(0)
    weight = torch.randn(CLASSES, CHANNELS, kernel, kernel, dtype=dtype)
    return fickle_network(weight, torch.randn(CLASSES, dtype=dtype), drop_rate=0.7, mode=mode)


def feature_maps(size: tuple[int, int], images: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(images, CHANNELS, *size, dtype=dtype, generator=torch.Generator().manual_seed(1))


def layer(network: FickleNetwork) -> tuple[Tensor, Tensor]:
    found = network.model.get_submodule(network.layer_name)
    assert isinstance(found, nn.Conv2d)
    assert found.bias is not None
    return found.weight, found.bias


def as_expanded(masks: Tensor, size: tuple[int, int]) -> Tensor:
    return torch.stack([literal.expanded_mask(mask, *size) for mask in masks])


def random_masks(network: FickleNetwork, feature_map: Tensor) -> Tensor:
    torch.manual_seed(3)
    return network.training_masks(feature_map).to(feature_map.dtype)


# The closed form


@every_kernel
@every_size
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_logits_are_the_literal_ones(
    kernel: int, size: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    network, images = fickle(kernel, dtype=dtype), feature_maps(size, dtype=dtype)
    masks = random_masks(network, images)
    found = network.scores(images, masks)
    expected = literal.logits(images, as_expanded(masks, size), *layer(network))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@every_kernel
@every_size
def test_maps_are_the_literal_ones_and_sum_to_the_logit(kernel: int, size: tuple[int, int]) -> None:
    network, images = fickle(kernel, dtype=torch.float64), feature_maps(size, 1, torch.float64)
    masks = random_masks(network, images)
    parts = contributions(network, images[0], torch.arange(CLASSES))  # (h * w, s * s, C)
    maps = (masks[0].unsqueeze(2) * parts).sum(dim=1).T.view(CLASSES, *size)
    mask = as_expanded(masks, size)
    for index in range(CLASSES):
        expected = literal.raw_map(images, mask, *layer(network), index)[0]
        torch.testing.assert_close(maps[index], expected, rtol=1e-9, atol=1e-12)
    scores = network.scores(images, masks)[0]
    torch.testing.assert_close(maps.sum(dim=(1, 2)) + layer(network)[1], scores, rtol=1e-9, atol=1e-12)


@every_kernel
@every_mode
def test_training_gradients_are_the_literal_ones(kernel: int, mode: str) -> None:
    network, images = fickle(kernel, mode, dtype=torch.float64), feature_maps((5, 4), dtype=torch.float64)
    targets = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    network.train()
    images.requires_grad_()
    torch.manual_seed(5)
    value, _, _ = loss(network, LabelledBatch(images, targets, "multi-label"))
    found = torch.autograd.grad(value, [images, *layer(network)])
    torch.manual_seed(5)
    masks = network.training_masks(images).double().reshape(-1, 20, kernel**2)
    scores = literal.logits(images, as_expanded(masks, (5, 4)), *layer(network))
    score = nn.functional.multilabel_soft_margin_loss(scores.float(), targets)
    expected = torch.autograd.grad(score, [images, *layer(network)])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("mode", ["stochastic", "general"])
@every_kernel
def test_aggregates_are_of_the_literal_maps(mode: str, kernel: int) -> None:
    size = (5, 4)
    network, images = (
        fickle(kernel, mode, dtype=torch.float64),
        feature_maps(size, 1, torch.float64),
    )
    network.drawing = replace(network.drawing, draws=11)
    chosen = torch.tensor([[2, 0]])
    observation = Observation(images, torch.zeros(1, CLASSES), draw_keys=((7, 8),))
    maximum, mean = aggregated(network, observation, chosen)
    singles = single_draws(network, observation, chosen, 11)
    offsets = 1 if mode == "general" else kernel**2
    kept = np.concatenate(
        list(kept_units((0, 7, 8), 11, 20, offsets, 0.7, centre=mode == "stochastic")), axis=1
    )
    masks = torch.from_numpy(kept).double().transpose(0, 1).expand(-1, -1, kernel**2)  # (D, h * w, s * s)
    expanded = as_expanded(masks, size)
    for place, index in enumerate((2, 0)):
        raw = torch.cat([literal.raw_map(images, mask[None], *layer(network), index) for mask in expanded])
        expected = literal.aggregated(raw)
        torch.testing.assert_close(maximum[0, place], expected[0], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(mean[0, place], expected[1], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(singles[0, place].amax(dim=0), expected[0], rtol=1e-6, atol=1e-9)


def test_equation_1_is_not_grad_cam() -> None:
    network, images = fickle(dtype=torch.float64), feature_maps((5, 4), 1, torch.float64)
    mask = as_expanded(random_masks(network, images), (5, 4))
    own = literal.raw_map(images, mask, *layer(network), 0)
    other = literal.pooled_gradient_map(images, mask, *layer(network), 0)
    assert torch.corrcoef(torch.stack([own.flatten(), other.flatten()]))[0, 1] < 0.9
