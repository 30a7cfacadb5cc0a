"""Entropy Pooling computes the paper's equations, at their limits and in coarse precision too."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.methods.example_networks import all_classes, linear_network
from tests.reference.entropy_pooling_literal import EntropyPooled, entropy_pooling
from wsloc.errors import UnsupportedError
from wsloc.methods import ep
from wsloc.methods.ep import EntropyPooling, entropy_weight, with_entropy_pooling
from wsloc.networks.network import Observation, class_maps

if TYPE_CHECKING:
    from torch import Tensor

    from wsloc.networks.network import Network

# (classes, channels, height, width): a row, a column, fewer than five classes, exactly five, many.
SHAPES = [(7, 5, 3, 4), (2, 3, 1, 5), (3, 4, 5, 1), (5, 6, 2, 2), (12, 6, 4, 4)]

Case = tuple["Tensor", "Tensor", "Tensor"]


def case(shape: tuple[int, int, int, int], scale: float = 1.0, images: int = 3) -> Case:
    """Feature maps (N, K, h, w) as they come out of a ReLU, weight (C, K), bias (C,)."""
    classes, channels, height, width = shape
    generator = torch.Generator().manual_seed(classes + 100 * height)
    feature_map = torch.randn(images, channels, height, width, generator=generator).relu()
    weight = scale * torch.randn(classes, channels, generator=generator)
    return feature_map, weight, torch.randn(classes, generator=generator)


def literal(feature_map: Tensor, weight: Tensor, bias: Tensor) -> list[EntropyPooled]:
    """The paper's equations for each image."""
    return [
        entropy_pooling(image.double().numpy(), weight.double().numpy(), bias.double().numpy())
        for image in feature_map
    ]


def observe(network: Network, feature_map: Tensor) -> tuple[Network, Observation]:
    """EP inference on a network without a trunk."""
    pooled = with_entropy_pooling(network)
    return pooled, pooled.observe(feature_map, differentiable=False)


def stack(arrays: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


# Against the equations


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_computes_the_papers_equations(shape: tuple[int, int, int, int], scale: float) -> None:
    feature_map, weight, bias = case(shape, scale)
    network, observation = observe(linear_network(weight, bias), feature_map)
    expected = literal(feature_map, weight, bias)
    classes = all_classes(network, feature_map)

    weights = stack([image.entropy_weight for image in expected])
    assert weights.std() > 0.01  # the case is not one of the limits below
    assert_close(ep.entropy_map(network, observation, classes).squeeze(1), weights)
    assert_close(observation.logits, stack([image.logits for image in expected]))
    found = ep.activation_map(network, observation, classes)
    assert_close(found, stack([image.class_weights for image in expected]))
    top5 = ep.top5_map(network, observation, classes).squeeze(1)
    assert_close(top5, stack([image.top5 for image in expected]))


def test_gradients_flow_through_lambda_as_finite_differences_say() -> None:
    inputs = [tensor.double().numpy() for tensor in case((4, 3, 2, 3), images=1)]
    direction = np.array([0.7, -1.1, 0.4, 1.6])

    def answer() -> float:
        return float(direction @ entropy_pooling(inputs[0][0], inputs[1], inputs[2]).logits)

    leaves = [torch.from_numpy(array).float().requires_grad_() for array in inputs]
    logits = EntropyPooling()(*leaves)[0]  # (C,)
    gradients = torch.autograd.grad(logits @ torch.from_numpy(direction).float(), leaves)
    for array, gradient in zip(inputs, gradients, strict=True):
        torch.testing.assert_close(gradient, differences(answer, array), rtol=1e-4, atol=1e-5)


def differences(answer: Any, array: Any, step: float = 1e-6) -> Tensor:
    """Central differences of `answer()` by every entry of an array that it reads."""
    slopes = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = answer()
        array[index] = kept - step
        slopes[index] = (above - answer()) / (2 * step)
        array[index] = kept
    return torch.from_numpy(slopes).float()


def test_weights_counted_by_hand() -> None:
    # Two classes: undecided (H = log 2), three to one (H = 0.562335), certain (H = 0).
    localized = torch.tensor([[[[0.0, math.log(3), 200.0]], [[0.0, 0.0, 0.0]]]])  # (1, 2, 1, 3)
    expected = torch.tensor([[[0.0, 1 - 0.562335 / math.log(2), 1.0]]])
    torch.testing.assert_close(entropy_weight(localized), expected)


@settings(max_examples=100, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3)),
        elements=st.floats(-1e6, 1e6, width=32),
    )
)
def test_weights_are_fractions_whatever_the_logits(localized: Any) -> None:
    weights = entropy_weight(torch.from_numpy(localized))
    assert weights.shape == (len(localized), *localized.shape[2:])
    assert weights.min() >= 0  # and so no NaN
    assert weights.max() <= 1


def test_a_batch_equals_its_images_one_by_one() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    feature_map[1] = 1.0  # one image without any contrast must not change the others
    network, observation = observe(linear_network(weight, bias), feature_map)
    classes = torch.tensor([[0, 3], [6, 6], [2, 1]])
    for index in range(3):
        rows = slice(index, index + 1)
        _, alone = observe(linear_network(weight, bias), feature_map[rows])
        torch.testing.assert_close(alone.logits, observation.logits[rows])
        for function in (ep.entropy_map, ep.activation_map, ep.top5_map):
            together = function(network, observation, classes)[rows]
            torch.testing.assert_close(function(network, alone, classes[rows]), together)


# The bias


def test_localized_logits_average_to_the_logits_of_global_average_pooling() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    localized = class_maps(feature_map, weight, bias)
    torch.testing.assert_close(localized.mean(dim=(2, 3)), linear_network(weight, bias)(feature_map))


def test_the_bias_is_added_once_and_counts_in_the_entropies() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    shifted = EntropyPooling()(feature_map, weight, bias + 3.0)  # a softmax does not see a common shift
    torch.testing.assert_close(shifted, EntropyPooling()(feature_map, weight, bias) + 3.0)
    _, biased = observe(linear_network(weight, bias), feature_map)
    _, unbiased = observe(linear_network(weight), feature_map)
    network = linear_network(weight)
    kept = ep.entropy_map(linear_network(weight, bias), biased, torch.zeros(3, 1))
    assert not torch.allclose(kept, ep.entropy_map(network, unbiased, torch.zeros(3, 1)), atol=0.01)


def test_no_bias_is_a_bias_of_zero() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    expected = EntropyPooling()(feature_map, weight, torch.zeros_like(bias))
    torch.testing.assert_close(EntropyPooling()(feature_map, weight, None), expected)


# Limits


@pytest.mark.parametrize("shape", [(7, 5, 3, 4), (1000, 512, 7, 7), (20, 161, 13, 13)])
def test_a_constant_feature_map_is_pooled_as_by_gap(shape: tuple[int, int, int, int]) -> None:
    feature_map, weight, bias = case(shape, scale=0.1)
    feature_map = feature_map[:, :, :1, :1].expand_as(feature_map).contiguous()
    network, observation = observe(linear_network(weight, bias), feature_map)
    assert torch.equal(ep.entropy_map(network, observation, torch.zeros(3, 1)), torch.ones(3, 1, *shape[2:]))
    assert_close(observation.logits, linear_network(weight, bias)(feature_map))


def test_a_single_cell_is_pooled_as_by_gap() -> None:
    feature_map, weight, bias = case((7, 5, 1, 1))
    network, observation = observe(linear_network(weight, bias), feature_map)
    classes = all_classes(network, feature_map)
    assert torch.equal(ep.entropy_map(network, observation, classes), torch.ones(3, 1, 1, 1))
    torch.testing.assert_close(observation.logits, linear_network(weight, bias)(feature_map))
    expected = observation.logits.softmax(dim=1)[:, :, None, None]  # lambda_c = p
    torch.testing.assert_close(ep.activation_map(network, observation, classes), expected)


def test_a_single_class_is_certain_everywhere() -> None:
    feature_map, weight, bias = case((1, 5, 3, 4))
    network, observation = observe(linear_network(weight, bias), feature_map)
    maps = ep.activation_map(network, observation, torch.zeros(3, 1, dtype=torch.int64))
    assert torch.equal(maps, torch.ones(3, 1, 3, 4))


def test_where_every_cell_is_certain_all_count() -> None:
    feature_map = torch.eye(6).reshape(1, 6, 2, 3).requires_grad_()  # another class at every cell
    weight, bias = 1e4 * torch.eye(6), torch.zeros(6)
    logits = EntropyPooling()(feature_map, weight, bias)
    assert torch.equal(entropy_weight(class_maps(feature_map, weight, bias)), torch.ones(1, 2, 3))
    torch.testing.assert_close(logits, class_maps(feature_map, weight, bias).mean(dim=(2, 3)))
    (gradient,) = torch.autograd.grad(logits[0, 0], feature_map)
    torch.testing.assert_close(gradient, (weight[0] / 6)[None, :, None, None].expand_as(feature_map))  # GAP's


def test_next_to_no_entropy_is_not_stretched_into_contrast() -> None:
    # H = 2.2e-7 and 1.1e-7 nats: divided by their maximum one cell would count half and the other nothing.
    localized = torch.tensor([[[[18.0, 18.75]], [[0.0, 0.0]]]])
    expected = [1 - (logit + 1) * math.exp(-logit) / 1e-6 for logit in (18.0, 18.75)]
    torch.testing.assert_close(entropy_weight(localized), torch.tensor([[expected]]), rtol=0, atol=0.15)
    assert entropy_weight(localized).min() > 0.5


@pytest.mark.parametrize("factor", [1e4, -1e4])
def test_huge_logits_give_numbers_and_gradients(factor: float) -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    leaves = [feature_map.requires_grad_(), (factor * weight).requires_grad_(), bias.requires_grad_()]
    logits = EntropyPooling()(*leaves)
    assert logits.isfinite().all()
    assert logits.abs().max() > 1e3
    for gradient in torch.autograd.grad(logits.sum(), leaves):
        assert gradient.isfinite().all()
        assert gradient.any()


def test_fewer_than_five_classes_are_summed_entirely() -> None:
    feature_map, weight, bias = case((3, 4, 5, 2))
    network, observation = observe(linear_network(weight, bias), feature_map)
    classes = all_classes(network, feature_map)
    total = ep.top5_map(network, observation, classes)
    assert total.max() <= 1
    torch.testing.assert_close(total, ep.entropy_map(network, observation, classes))


# Precision


def test_bfloat16_features_are_worked_on_in_float32() -> None:
    feature_map, weight, bias = case((12, 6, 4, 4))
    coarse = feature_map.bfloat16()
    logits = EntropyPooling()(coarse, weight, bias)
    assert logits.dtype == torch.float32
    assert torch.equal(logits, EntropyPooling()(coarse.float(), weight, bias))
    weights = entropy_weight(class_maps(coarse, weight, bias).bfloat16())
    assert weights.dtype == torch.float32


def test_autocast_around_it_changes_nothing() -> None:
    feature_map, weight, bias = case((12, 6, 4, 4))
    network = linear_network(weight, bias)
    classes = all_classes(network, feature_map)

    def everything() -> list[Tensor]:
        pooled, observation = observe(network, feature_map)
        functions = (ep.entropy_map, ep.activation_map, ep.top5_map)
        return [observation.logits, *(function(pooled, observation, classes) for function in functions)]

    expected = everything()
    with torch.autocast("cpu", torch.bfloat16):
        assert network(feature_map).dtype == torch.bfloat16  # autocast is at work
        for inside, outside in zip(everything(), expected, strict=True):
            assert torch.equal(inside, outside)


# Options


def test_detached_weights_are_weights_and_no_more() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    leaf = feature_map.requires_grad_()
    logits, coefficients = EntropyPooling(detach_weights=True).weighed(leaf, weight, bias)
    torch.testing.assert_close(logits, EntropyPooling()(feature_map, weight, bias))
    (gradient,) = torch.autograd.grad(logits.sum(), leaf)
    expected = coefficients[:, None] * weight.sum(dim=0)[:, None, None] / 12  # lambda(u) W / (hw)
    torch.testing.assert_close(gradient, expected)


def test_a_ramp_goes_from_average_pooling_to_entropy_pooling() -> None:
    feature_map, weight, bias = case((7, 5, 3, 4))
    pooling = EntropyPooling(ramp=0.5)
    assert [pooling.share(progress) for progress in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.5, 1.0, 1.0]
    assert EntropyPooling().share(0.0) == 1.0
    average = class_maps(feature_map, weight, bias).mean(dim=(2, 3))
    torch.testing.assert_close(pooling.weighed(feature_map, weight, bias, 0.0)[0], average)
    halfway = pooling.weighed(feature_map, weight, bias, 0.5)[0]
    torch.testing.assert_close(halfway, (average + pooling(feature_map, weight, bias)) / 2)
    for ramp in (-0.1, 1.1, math.nan):
        with pytest.raises(UnsupportedError, match="ramp is a share"):
            EntropyPooling(ramp=ramp)


def test_a_background_logit_of_zero_joins_the_softmax() -> None:
    feature_map, weight, bias = case((4, 5, 3, 4))
    more, other = torch.cat([weight, torch.zeros(1, 5)]), torch.cat([bias, torch.zeros(1)])
    pooling = EntropyPooling(background_logit=True)
    logits, coefficients = pooling.weighed(feature_map, weight, bias)
    expected = literal(feature_map, more, other)  # a fifth class, whose logit is zero everywhere
    assert_close(coefficients, stack([image.entropy_weight for image in expected]))
    assert_close(logits, stack([image.logits[:4] for image in expected]))

    network = linear_network(weight, bias)
    pooled = with_entropy_pooling(network, pooling)
    observation = pooled.observe(feature_map, differentiable=False)
    found = ep.activation_map(pooled, observation, all_classes(network, feature_map))
    assert_close(found, stack([image.class_weights[:4] for image in expected]))
    assert_close(ep.entropy_map(pooled, observation, torch.zeros(3, 1))[:, 0], coefficients)


def test_a_weak_logit_is_certain_only_without_the_background() -> None:
    """Softmax is blind to a shift: four logits of -9, -9, -9, -4 look as certain as 5, 5, 5, 10."""
    localized = torch.tensor(
        [[[[5.0, -9.0, 0.0]], [[5.0, -9.0, 0.0]], [[5.0, -9.0, 0.0]], [[10.0, -4.0, 0.0]]]]
    )
    plain = entropy_weight(localized)[0, 0]
    assert plain[0] == pytest.approx(plain[1].item(), abs=1e-5)
    with_background = entropy_weight(localized, background_logit=True)[0, 0]
    assert with_background[0] == pytest.approx(plain[0].item(), abs=0.02)
    background = (localized[0, :, 0, 1].exp() / (1 + localized[0, :, 0, 1].exp().sum())).sum()
    assert background < 0.02  # that cell is background: certain again, but of no class


def test_equal_entropies_are_counted() -> None:
    weights = torch.stack([torch.ones(2, 3), torch.tensor([[0.0, 0.5, 1.0], [0.2, 0.3, 1.0]])])
    figures = ep.lambda_figures(weights)
    assert figures["equal_entropies"] == 0.5
    torch.testing.assert_close(figures["mean_lambda"], weights.mean())


def test_unknown_options_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="unknown option 'colour': known are"):
        ep.build("small_resnet", 4, {"colour": 1})
