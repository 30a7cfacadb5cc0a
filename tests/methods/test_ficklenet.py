"""FickleNet's closed form against the literal one, its draws, and its head."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.example_localizers import picture
from tests.methods.example_networks import fickle_network
from tests.reference import ficklenet_literal as literal
from wsloc.errors import UnsupportedError
from wsloc.methods.ficklenet import (
    DEFAULTS,
    MODES,
    Drawing,
    FickleNetwork,
    aggregated,
    build,
    contributions,
    loss,
    settled,
    single_draws,
    suitable_kernel,
)
from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import Observation
from wsloc.networks.tasks import LabelledBatch
from wsloc.networks.unit_selection import kept_units

if TYPE_CHECKING:
    from wsloc.localizer import Localizer

CHANNELS, CLASSES = 6, 3
SIZES = [(4, 4), (5, 7), (6, 3), (1, 1), (11, 8)]
every_kernel = pytest.mark.parametrize("kernel", [1, 3, 5, 9])
every_size = pytest.mark.parametrize("size", SIZES, ids=str)
every_mode = pytest.mark.parametrize("mode", MODES)


def by_hand(kernel: int = 3, mode: str = "stochastic", dtype: torch.dtype = torch.float32) -> FickleNetwork:
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
    network, images = by_hand(kernel, dtype=dtype), feature_maps(size, dtype=dtype)
    masks = random_masks(network, images)
    found = network.scores(images, masks)
    expected = literal.logits(images, as_expanded(masks, size), *layer(network))
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@every_kernel
@every_size
def test_maps_are_the_literal_ones_and_sum_to_the_logit(kernel: int, size: tuple[int, int]) -> None:
    network, images = by_hand(kernel, dtype=torch.float64), feature_maps(size, 1, torch.float64)
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
    network, images = by_hand(kernel, mode, dtype=torch.float64), feature_maps((5, 4), dtype=torch.float64)
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
        by_hand(kernel, mode, dtype=torch.float64),
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
    network, images = by_hand(dtype=torch.float64), feature_maps((5, 4), 1, torch.float64)
    mask = as_expanded(random_masks(network, images), (5, 4))
    own = literal.raw_map(images, mask, *layer(network), 0)
    other = literal.pooled_gradient_map(images, mask, *layer(network), 0)
    assert torch.corrcoef(torch.stack([own.flatten(), other.flatten()]))[0, 1] < 0.9


# The expected mask


@every_mode
def test_the_expected_mask_is_the_mean_of_those_drawn(mode: str) -> None:
    network = by_hand(3, mode)
    images = feature_maps((4, 5), 1).expand(20_000, -1, -1, -1)
    masks = network.training_masks(images).expand(20_000, -1, -1)
    found, expected = masks.mean(dim=0), network.expected_mask(images)
    assert (found - expected).abs().max() < 5 * (0.3 * 0.7 / 20_000) ** 0.5
    logits = network.scores(images, masks).mean(dim=0)
    torch.testing.assert_close(logits, network.head(images[:1])[0], rtol=0.02, atol=0.02)
    if mode == "general":
        assert torch.equal(masks.amax(dim=2), masks[:, :, 4])  # a cell is there for all windows or for none
    else:
        assert bool((masks[:, :, 4] == 1).all())


def test_logits_in_evaluation_do_not_depend_on_draws() -> None:
    network, images = by_hand(), feature_maps((5, 4))
    batch = LabelledBatch(images, torch.eye(CLASSES)[:2], "multi-label")
    _, first, _ = loss(network, batch)
    _, second, _ = loss(network, batch)
    assert torch.equal(first, second)
    network.drawing = Drawing(draws=1, drop_rate=0.1, random_seed=9)
    assert torch.equal(network(images), first)
    network.train()
    _, drawn, _ = loss(network, batch)
    assert not torch.allclose(drawn, first)
    assert torch.equal(network(images), first)


# Aggregates


def test_draws_depend_on_seed_and_key_alone() -> None:
    network, images = by_hand(), feature_maps((5, 4), 3)
    chosen = torch.tensor([[0, 1], [1, 2], [2, 0]])
    keys = ((3, 1), (4, 1), (5, 1))
    own = aggregated(network, Observation(images, torch.zeros(3, CLASSES), draw_keys=keys), chosen)
    turned = Observation(images.flip(0), torch.zeros(3, CLASSES), draw_keys=keys[::-1])
    for one, other in zip(own, aggregated(network, turned, chosen.flip(0)), strict=True):
        torch.testing.assert_close(one, other.flip(0))
    alone = Observation(images[1:2], torch.zeros(1, CLASSES), draw_keys=keys[1:2])
    torch.testing.assert_close(aggregated(network, alone, chosen[1:2])[0], own[0][1:2])
    torch.testing.assert_close(aggregated(network, alone, chosen[1:2, :1])[0], own[0][1:2, :1])
    network.drawing = replace(network.drawing, random_seed=1)
    assert not torch.allclose(aggregated(network, alone, chosen[1:2])[0], own[0][1:2])


@pytest.mark.parametrize("mode", MODES)
def test_maps_without_anything_positive_are_zeros(mode: str) -> None:
    network = by_hand(3, mode)
    network.model.load_state_dict(
        {"fc.weight": -torch.ones(CLASSES, CHANNELS, 3, 3), "fc.bias": torch.ones(3)}
    )
    for images in (feature_maps((4, 4)).abs(), torch.zeros(2, CHANNELS, 4, 4)):
        observation = network.observe(images, differentiable=False)
        for maps in aggregated(network, observation, torch.tensor([[0], [2]])):
            assert torch.equal(maps, torch.zeros(2, 1, 4, 4))


def test_the_deterministic_map_is_one_map_of_the_mean() -> None:
    network, images = by_hand(5, "deterministic", torch.float64), feature_maps((6, 5), 1, torch.float64)
    observation = network.observe(images, differentiable=False)
    maximum, mean = aggregated(network, replace(observation, feature_map=images), torch.tensor([[1]]))
    assert torch.equal(maximum, mean)
    mask = literal.expanded_mask(network.expected_mask(images), 6, 5)[None]
    expected = literal.raw_map(images, mask.double(), *layer(network), 1).relu()
    torch.testing.assert_close(maximum[0], expected / expected.max(), rtol=1e-6, atol=1e-6)


def test_single_draws_are_no_more_than_there_are() -> None:
    network, images = by_hand(), feature_maps((4, 5))
    observation = network.observe(images, differentiable=False)
    assert single_draws(network, observation, torch.tensor([[0], [1]]), 100).shape == (2, 1, 40, 4, 5)
    network.drawing = replace(network.drawing, mode="deterministic")
    assert single_draws(network, observation, torch.tensor([[0], [1]]), 100).shape == (2, 1, 1, 4, 5)


# Building


def test_kernels_suit_their_grids() -> None:
    assert [suitable_kernel(side) for side in (1, 7, 14, 16, 20, 28, 41, 64)] == [3, 3, 3, 3, 5, 7, 9, 15]
    assert settled(DEFAULTS, "vgg16_dilated", 321)["kernel"] == 9
    assert settled({**DEFAULTS, "kernel": 5}, "vgg16_dilated", 321)["kernel"] == 5


@pytest.mark.parametrize("backbone", ["small_resnet", "resnet18", "mobilenet_v2", "densenet121", "vgg16_gap"])
def test_any_pooled_linear_head_is_replaced_under_its_name(backbone: str) -> None:
    plain = build_backbone(backbone, 4)
    network = build(backbone, 4, {"kernel": 5})
    state, own = plain.model.state_dict(), network.model.state_dict()
    assert list(state) == list(own)
    assert [key for key, value in own.items() if value.shape != state[key].shape] == [
        f"{network.layer_name}.weight"
    ]
    assert own[f"{network.layer_name}.weight"].shape[2:] == (5, 5)
    network.eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 64, 96)).shape == (2, 4)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no pooled linear head"):
        build("squeezenet1_1", 3)
    for options, words in (
        ({"kernel": 4}, "an odd number of cells, not 4"),
        ({"train_mode": "some"}, "unknown mode 'some'"),
        ({"drop_rate": 1.0}, "below 1, not 1.0"),
        ({"draws": 0}, "at least 1, not 0"),
        ({"ramp": 1}, "unknown option 'ramp'"),
    ):
        with pytest.raises(UnsupportedError, match=words):
            build("small_resnet", 3, options)


def test_cam_and_entropy_maps_are_refused_and_grad_cam_is_not(fickle: Localizer) -> None:
    picture_ = picture()
    for name in ("cam", "entropy-class"):
        with pytest.raises(UnsupportedError, match="use --map stochastic"):
            fickle.localize(picture_, map=name)
    assert fickle.localize(picture_, map="gradcam").map == "gradcam"
    assert fickle.localize(picture_).map == "stochastic"
    record = fickle.localize(picture_, classes="top5", show_draws=3)
    assert record.draws is not None
    assert record.draws.shape == (5, 3, 6, 6)
