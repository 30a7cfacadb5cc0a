"""A classifier cut in two: what the parts see, what is differentiated, and in which precision."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.network import Family, Network, class_maps, weights_digest

CLASSES, CHANNELS = 4, 6


class Toy(nn.Module):
    """A convolution, global average pooling, and one layer; a 1x1 convolution for it or none on request."""

    def __init__(self, *, bias: bool = True, convolution: bool = False) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, stride=2, padding=1), nn.ReLU())
        self.last = (
            nn.Conv2d(CHANNELS, CLASSES, 1, bias=bias) if convolution else nn.Linear(CHANNELS, CLASSES, bias)
        )

    def features(self, images: Tensor) -> Tensor:
        """Feature map (N, K, H/2, W/2)."""
        feature_map: Tensor = self.trunk(images)
        return feature_map

    def head(self, feature_map: Tensor) -> Tensor:
        """Logits (N, C)."""
        pooled = feature_map.mean(dim=(2, 3), keepdim=isinstance(self.last, nn.Conv2d))
        logits: Tensor = self.last(pooled).flatten(1)
        return logits


def features(model: Any, images: Tensor) -> Tensor:
    feature_map: Tensor = model.features(images)
    return feature_map


def head(model: Any, feature_map: Tensor) -> Tensor:
    logits: Tensor = model.head(feature_map)
    return logits


LINEAR = Family("toys", features, head, attrgetter("last"), stride=2)
OTHER = Family("odd toys", features, head, None, stride=2)


def toy_network(family: Family = LINEAR, **options: bool) -> Network:
    torch.manual_seed(0)
    return Network("toy", Toy(**options), family)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))


def test_forward_is_head_of_features(images: Tensor) -> None:
    network = toy_network()
    feature_map = network.features(images)
    assert feature_map.shape == (2, CHANNELS, 4, 3)
    assert torch.equal(network(images), network.head(feature_map))
    assert torch.equal(network.head(feature_map), head(network.model, feature_map))
    assert (network.name, network.stride, network.has_linear_head) == ("toy", 2, True)
    gradients = torch.autograd.grad(network(images).square().sum(), list(network.parameters()))
    assert all(gradient.any() for gradient in gradients)  # training goes through both parts


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("convolution", [False, True])
def test_class_maps_average_to_the_logits(images: Tensor, bias: bool, convolution: bool) -> None:
    network = toy_network(bias=bias, convolution=convolution)
    weight, offset = network.linear()
    assert weight.shape == (CLASSES, CHANNELS)
    assert (offset is None) != bias
    feature_map = network.features(images)
    maps = class_maps(feature_map, weight, offset)
    torch.testing.assert_close(maps.mean(dim=(2, 3)), network(images))
    expected = torch.einsum("ck,nkhw->nchw", weight, feature_map)
    torch.testing.assert_close(class_maps(feature_map, weight), expected)


def test_the_weight_is_the_models_own(images: Tensor) -> None:
    network = toy_network(convolution=True)
    weight, _ = network.linear()
    last: Any = network.model.get_submodule("last")
    (gradient,) = torch.autograd.grad(weight.sum(), last.weight)
    assert gradient.eq(1).all()
    assert network(images).shape == (2, CLASSES)


def test_other_heads_have_no_weight(images: Tensor) -> None:
    network = toy_network(OTHER)
    assert not network.has_linear_head
    with pytest.raises(UnsupportedError, match=r"toy \(odd toys\) has no pooled linear head.*--map gradcam"):
        network.linear()
    assert network(images).shape == (2, CLASSES)


def test_class_maps_are_float32_in_any_case() -> None:
    feature_map, weight, bias = torch.randn(2, 6, 3, 3), torch.randn(4, 6), torch.randn(4)
    expected = class_maps(feature_map, weight, bias)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(class_maps(feature_map, weight, bias), expected)
    rounded = [value.bfloat16() for value in (feature_map, weight, bias)]
    found = class_maps(*rounded)
    assert found.dtype == torch.float32
    assert torch.equal(found, class_maps(*(value.float() for value in rounded)))


class MaximumPooling(nn.Module):
    """Logits by the maximum over the cells."""

    def forward(self, feature_map: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """(N, C)."""
        return class_maps(feature_map, weight, bias).amax(dim=(2, 3))


def test_pooling_in_place_of_the_models_own(images: Tensor) -> None:
    network, plain = toy_network(), toy_network()
    keys = list(network.state_dict())
    network.pooling = MaximumPooling()
    expected = class_maps(plain.features(images), *plain.linear()).amax(dim=(2, 3))
    assert torch.equal(network(images), expected)
    assert torch.equal(network.observe(images, differentiable=False).logits, expected)
    assert not torch.allclose(expected, plain(images))
    assert list(network.state_dict()) == keys
    network.pooling = None
    assert torch.equal(network(images), plain(images))


def test_pooling_needs_a_linear_head(images: Tensor) -> None:
    network = toy_network(OTHER)
    network.pooling = MaximumPooling()
    with pytest.raises(UnsupportedError, match="no pooled linear head"):
        network(images)


@pytest.mark.parametrize("differentiable", [False, True])
def test_observation(images: Tensor, differentiable: bool) -> None:
    network = toy_network()
    observation = network.observe(images, differentiable=differentiable)
    assert torch.equal(observation.feature_map, network.features(images))
    assert torch.equal(observation.logits, network(images))
    assert observation.logits.requires_grad == observation.feature_map.requires_grad == differentiable
    assert observation.feature_map.is_leaf  # nothing of the trunk is kept


@pytest.mark.parametrize("frozen", [False, True])
def test_observed_gradients(images: Tensor, frozen: bool) -> None:
    network = toy_network().requires_grad_(not frozen)
    with torch.no_grad():  # whatever the caller has set
        observation = network.observe(images, differentiable=True)
    (gradient,) = torch.autograd.grad(observation.logits[:, 1].sum(), observation.feature_map)
    weight, _ = network.linear()
    expected = (weight[1] / 12)[None, :, None, None].expand(2, CHANNELS, 4, 3)  # a mean over 4 x 3 cells
    torch.testing.assert_close(gradient, expected)
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_trunk_alone_runs_in_lower_precision(images: Tensor, dtype: torch.dtype) -> None:
    network = toy_network()
    exact = network.observe(images, differentiable=False)
    seen: list[torch.dtype] = []
    network.model.get_submodule("trunk").register_forward_hook(
        lambda _module, _inputs, output: seen.append(output.dtype)
    )
    observation = network.observe(images, differentiable=True, autocast=dtype)
    assert seen == [dtype]
    assert observation.feature_map.dtype == observation.logits.dtype == torch.float32
    assert not torch.equal(observation.feature_map, exact.feature_map)
    torch.testing.assert_close(observation.feature_map, exact.feature_map, atol=0.03, rtol=0.03)
    # The head in float32, even under the caller's own autocast.
    assert torch.equal(observation.logits, network.head(observation.feature_map))
    with torch.autocast("cpu", torch.bfloat16):
        again = network.observe(images, differentiable=True)
    assert torch.equal(again.logits, network.head(again.feature_map))


@pytest.mark.parametrize("training", [False, True])
def test_observing_leaves_the_mode_alone(images: Tensor, training: bool) -> None:
    network = toy_network().train(training)
    network.observe(images, differentiable=True)
    assert all(module.training == training for module in network.modules())


def test_a_digest_is_of_the_weights() -> None:
    one, other = Toy(), Toy()
    other.load_state_dict(one.state_dict())
    assert weights_digest(one) == weights_digest(other)
    assert weights_digest(one.to(memory_format=torch.channels_last)) == weights_digest(other)
    with torch.no_grad():
        other.last.weight[0, 0] += 1e-6
    assert weights_digest(one) != weights_digest(other)
