"""A module of somebody's own, observed at one layer: right gradients, and nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.methods.cam import grad_cam
from wsloc.networks.backbones import build_backbone
from wsloc.networks.hooked import HookedNetwork
from wsloc.networks.map_operations import class_gradients

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 5
CLASS_INDEX = torch.tensor([[0, 3], [4, 1]])


class Toy(nn.Module):
    """Convolutions with ReLUs in place, right after the layers that are explained."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.middle = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(6, CLASSES)
        self.unused = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, C) of images (N, 3, H, W)."""
        logits: Tensor = self.fc(self.pool(self.middle(self.stem(images))).flatten(1))
        return logits


@pytest.fixture
def toy() -> Toy:
    torch.manual_seed(0)
    return Toy().eval()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))


def hooks(module: nn.Module) -> int:
    return sum(len(layer._forward_hooks) + len(layer._forward_pre_hooks) for layer in module.modules())


def grad_cam_by_hand(toy: Toy, images: Tensor, layer: str) -> Tensor:
    """(N, P, h, w) by plain autograd through a forward pass that is written out, nothing in place."""
    x = images
    for name in ("stem.0", "stem.1", "stem.2", "middle.0", "middle.1", "middle.2"):
        step = toy.get_submodule(name)
        x = F.relu(x) if isinstance(step, nn.ReLU) else step(x)
        if name == layer:
            feature_map = x = x.detach().requires_grad_()
    logits = toy.fc(x.mean(dim=(2, 3)))
    maps = []
    for image, indices in enumerate(CLASS_INDEX):
        for index in indices:
            (gradient,) = torch.autograd.grad(logits[image, index], feature_map, retain_graph=True)
            weights = gradient[image].mean(dim=(1, 2))  # (K,)
            maps.append((weights[:, None, None] * feature_map.detach()[image]).sum(dim=0))
    return torch.stack(maps).reshape(*CLASS_INDEX.shape, *maps[0].shape)


@pytest.mark.parametrize(
    "layer", ["stem.0", "stem.1", "stem.2", "middle.0", "middle.1", "middle.2"]
)  # before, at and after layers that work in place
@pytest.mark.parametrize("frozen", [False, True])
def test_grad_cam_is_plain_autograds(toy: Toy, images: Tensor, layer: str, frozen: bool) -> None:
    expected = grad_cam_by_hand(toy, images, layer)
    toy.requires_grad_(not frozen)
    network = HookedNetwork(toy, layer)
    found = grad_cam(network, network.observe(images, differentiable=True), CLASS_INDEX)
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("layer", ["stem.0", "middle.0", "middle.1"])
def test_the_feature_map_is_the_layers_output(toy: Toy, images: Tensor, layer: str) -> None:
    outputs: list[Tensor] = []
    handle = toy.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: outputs.append(output.detach().clone())
    )
    logits = toy(images)
    handle.remove()
    for differentiable in (False, True):
        observation = HookedNetwork(toy, layer).observe(images, differentiable=differentiable)
        assert torch.equal(observation.feature_map, outputs[0])
        assert torch.equal(observation.logits, logits)
        assert observation.logits.requires_grad == observation.feature_map.requires_grad == differentiable


def test_layer_by_name_or_itself(toy: Toy, images: Tensor) -> None:
    by_name, itself = HookedNetwork(toy, "middle.0"), HookedNetwork(toy, toy.middle[0])
    maps = [network.observe(images, differentiable=False).feature_map for network in (by_name, itself)]
    assert torch.equal(*maps)
    assert list(by_name.state_dict()) == [f"model.{key}" for key in toy.state_dict()]  # not registered twice
    assert torch.equal(by_name(images), toy(images))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_module_is_left_as_it_was(toy: Toy, images: Tensor, training: bool, frozen: bool) -> None:
    toy.train(training).requires_grad_(not frozen)
    toy.stem[1].eval()
    toy.fc.weight.grad = torch.full_like(toy.fc.weight, 7)
    before = {key: value.clone() for key, value in toy.state_dict().items()}
    modes = [module.training for module in toy.modules()]
    network = HookedNetwork(toy, "middle.0")
    observation = network.observe(images, differentiable=True)
    grad_cam(network, observation, CLASS_INDEX)
    assert hooks(toy) == 0
    assert [module.training for module in toy.modules()] == modes
    assert all(torch.equal(before[key], value) for key, value in toy.state_dict().items())
    assert toy.fc.weight.grad.eq(7).all()
    others = [parameter for parameter in toy.parameters() if parameter is not toy.fc.weight]
    assert all(parameter.grad is None for parameter in others)
    assert all(parameter.requires_grad != frozen for parameter in toy.parameters())


def test_the_users_own_hooks_stay_and_come_first(toy: Toy, images: Tensor) -> None:
    plain = HookedNetwork(toy, "middle.0").observe(images, differentiable=True)
    toy.middle[0].register_forward_hook(lambda _module, _inputs, output: 2 * output)
    observation = HookedNetwork(toy, "middle.0").observe(images, differentiable=True)
    assert torch.equal(observation.feature_map, 2 * plain.feature_map)
    assert hooks(toy) == 1


def test_gradients_stay_as_they_were_switched(toy: Toy, images: Tensor) -> None:
    network = HookedNetwork(toy, "middle.0")
    with torch.no_grad():
        observation = network.observe(images, differentiable=True)
        assert not torch.is_grad_enabled()
    assert class_gradients(observation.logits, observation.feature_map, CLASS_INDEX).any()
    assert not network.observe(images, differentiable=False).logits.requires_grad
    assert torch.is_grad_enabled()


class Wrapped(nn.Module):
    """A toy with something between."""

    def __init__(self, toy: Toy, run: Callable[[Toy, Tensor], object]) -> None:
        super().__init__()
        self.toy = toy
        self.run = run

    def forward(self, images: Tensor) -> object:
        """Whatever the test wants."""
        return self.run(self.toy, images)


def frozen_trunk(toy: Toy, images: Tensor) -> Tensor:
    with torch.no_grad():
        features = toy.middle(toy.stem(images))
    logits: Tensor = toy.fc(toy.pool(features).flatten(1))
    return logits


def test_a_trunk_without_gradients(toy: Toy, images: Tensor) -> None:
    network = HookedNetwork(Wrapped(toy, frozen_trunk), "toy.middle")
    found = grad_cam(network, network.observe(images, differentiable=True), CLASS_INDEX)
    expected = grad_cam_by_hand(toy, images, "middle.2")
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def changed_by_others(toy: Toy, images: Tensor) -> Tensor:
    x = toy.stem(images)
    same = toy.get_submodule("unused")(x)
    x.zero_()  # the layer's input, which is its output too
    logits: Tensor = toy.fc(toy.pool(toy.middle(same)).flatten(1))
    return logits


def test_a_layer_whose_output_is_its_input(toy: Toy, images: Tensor) -> None:
    toy.unused = nn.Identity()  # type: ignore[assignment]  # a layer that computes nothing
    observation = HookedNetwork(Wrapped(toy, changed_by_others), "toy.unused").observe(
        images, differentiable=True
    )
    assert torch.equal(observation.feature_map, toy.stem(images))
    assert torch.equal(observation.logits, toy(images))


def test_a_layer_that_runs_twice_is_seen_at_its_last_run(toy: Toy, images: Tensor) -> None:
    relu = toy.stem[2]
    toy.middle[1] = relu
    network = HookedNetwork(toy, relu)
    found = grad_cam(network, network.observe(images, differentiable=True), CLASS_INDEX)
    expected = grad_cam_by_hand(toy, images, "middle.1")
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    assert hooks(toy) == 0


@pytest.mark.parametrize("autocast", [None, torch.bfloat16, torch.float16])
def test_precision(toy: Toy, images: Tensor, autocast: torch.dtype | None) -> None:
    network = HookedNetwork(toy, "middle.0")
    exact = network.observe(images, differentiable=True)
    observation = network.observe(images, differentiable=True, autocast=autocast)
    assert observation.feature_map.dtype == observation.logits.dtype == torch.float32
    assert torch.equal(observation.logits, exact.logits) is (autocast is None)
    torch.testing.assert_close(observation.logits, exact.logits, atol=0.02, rtol=0.02)
    found, expected = (grad_cam(network, seen, CLASS_INDEX) for seen in (observation, exact))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.05 * expected.abs().max().item(), rtol=0)


def test_the_same_map_as_the_network_that_is_cut_there() -> None:
    torch.manual_seed(0)
    network = build_backbone("small_resnet", CLASSES).eval()
    images = torch.randn(2, 3, 32, 24)
    hooked = HookedNetwork(network.model, "layer3")
    cut, seen = (one.observe(images, differentiable=True) for one in (network, hooked))
    assert torch.equal(cut.feature_map, seen.feature_map)
    torch.testing.assert_close(grad_cam(hooked, seen, CLASS_INDEX), grad_cam(network, cut, CLASS_INDEX))


def refused(module: nn.Module, layer: nn.Module | str, images: Tensor, words: str) -> None:
    for differentiable in (False, True):
        with pytest.raises(UnsupportedError, match=words):
            HookedNetwork(module, layer).observe(images, differentiable=differentiable)
    assert hooks(module) == 0


def test_unknown_layers(toy: Toy) -> None:
    with pytest.raises(
        UnsupportedError, match=r"Toy has no layer 'midle'; its last ones are .*pool, fc, unused"
    ):
        HookedNetwork(toy, "midle")
    with pytest.raises(UnsupportedError, match=r"the target layer Conv2d is not part of Toy"):
        HookedNetwork(toy, nn.Conv2d(3, 3, 1))


def test_layers_that_give_no_feature_map(toy: Toy, images: Tensor) -> None:
    refused(toy, "fc", images, r"gives \(2, 5\), not a feature map")
    refused(toy, "", images, r"gives \(2, 5\), not a feature map")
    toy.middle = nn.LSTM(6, 6)  # type: ignore[assignment]  # a layer with two outputs
    lstm = Wrapped(toy, lambda toy, images: toy.middle(images[:, 0])[0])
    refused(lstm, "toy.middle", images, r"gives tuple, not a feature map")
    crops = Wrapped(toy, lambda toy, images: toy.stem(images.repeat(3, 1, 1, 1)).mean(dim=(2, 3)))
    refused(crops, "toy.stem", images, r"gives \(6, 4, 8, 6\), not a feature map")


def test_layers_that_are_not_reached(toy: Toy, images: Tensor) -> None:
    refused(toy, "unused", images, "target layer of Toy is not reached")


def test_modules_that_give_no_logits(toy: Toy, images: Tensor) -> None:
    refused(Wrapped(toy, lambda toy, images: {"logits": toy(images)}), "toy.stem", images, "gives no logits")
    refused(Wrapped(toy, lambda toy, images: toy(images)[:, :, None]), "toy.stem", images, "gives no logits")


def test_logits_that_do_not_depend_on_the_layer(toy: Toy, images: Tensor) -> None:
    toy.requires_grad_(False)
    aside = Wrapped(toy, lambda toy, images: (toy.unused(images), toy(images))[1])
    HookedNetwork(aside, "toy.unused").observe(images, differentiable=False)
    with pytest.raises(UnsupportedError, match="logits of Wrapped do not depend on the target layer"):
        HookedNetwork(aside, "toy.unused").observe(images, differentiable=True)
    toy.requires_grad_(True)
    network = HookedNetwork(aside, "toy.unused")
    with pytest.raises(UnsupportedError, match="do not depend on the feature map"):
        grad_cam(network, network.observe(images, differentiable=True), CLASS_INDEX)


def test_errors_of_the_module_itself_pass_through(toy: Toy) -> None:
    with pytest.raises(RuntimeError, match="channels"):
        HookedNetwork(toy, "stem.0").observe(torch.zeros(2, 4, 8, 8), differentiable=True)
    assert hooks(toy) == 0


def test_it_is_not_cut(toy: Toy, images: Tensor) -> None:
    network = HookedNetwork(toy, "middle.0")
    assert not network.has_linear_head
    for call in (network.linear, lambda: network.features(images), lambda: network.head(images)):
        with pytest.raises(UnsupportedError, match="gradcam"):
            call()
