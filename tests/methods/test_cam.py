"""CAM and Grad-CAM: cases counted by hand, batches of classes and images, and what they leave alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.methods.example_networks import (
    all_classes,
    headed_network,
    linear_network,
    random_images,
    random_network,
)
from wsloc.errors import UnsupportedError
from wsloc.methods import cam
from wsloc.methods.ep import with_entropy_pooling
from wsloc.networks.map_operations import class_gradients
from wsloc.networks.tasks import TASKS, LabelledBatch, classification_loss

if TYPE_CHECKING:
    from wsloc.networks.network import Network

CLASSES = 6

# Heads of every kind: linear, fully connected behind a max pooling, two linear layers, convolution and ReLU,
# layer norm; and Entropy Pooling.
HEADS = ("resnet18", "alexnet", "mobilenet_v3_small", "squeezenet1_1", "convnext_tiny", "ep")


@cache
def network(name: str) -> Network:
    """One network a name for the whole file; tests leave it as they found it."""
    if name == "ep":
        return with_entropy_pooling(network("resnet18"))
    return random_network(name, CLASSES)


@cache
def images() -> Tensor:
    return random_images()


def grad_cams(explained: Network, inputs: Tensor, class_index: Tensor) -> Tensor:
    return cam.grad_cam(explained, explained.observe(inputs, differentiable=True), class_index)


def cams(explained: Network, inputs: Tensor, class_index: Tensor) -> Tensor:
    return cam.activation_map(explained, explained.observe(inputs, differentiable=False), class_index)


# By hand

# Two channels on a grid of two rows and three columns.
FEATURE_MAP = torch.tensor([[[[1.0, 2.0, 0.0], [3.0, 0.0, 6.0]], [[0.0, 1.0, 4.0], [2.0, 2.0, 0.0]]]])
WEIGHT = torch.tensor([[1.0, -1.0], [0.5, 2.0], [0.0, 0.0]])


def test_a_class_activation_map_weighs_the_channels_by_the_classifier() -> None:
    maps = cams(linear_network(WEIGHT, torch.tensor([5.0, 0.0, 1.0])), FEATURE_MAP, torch.tensor([[1, 0, 2]]))
    expected = [
        [[0.5, 3.0, 8.0], [5.5, 4.0, 3.0]],
        [[1.0, 1.0, -4.0], [1.0, -2.0, 6.0]],
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
    ]
    torch.testing.assert_close(maps, torch.tensor([expected]))


def test_grad_cam_on_a_linear_head_is_that_over_the_number_of_cells() -> None:
    maps = grad_cams(linear_network(WEIGHT, torch.ones(3)), FEATURE_MAP, torch.tensor([[0]]))
    torch.testing.assert_close(maps, torch.tensor([[[[1.0, 1.0, -4.0], [1.0, -2.0, 6.0]]]]) / 6)


def test_grad_cam_averages_gradients_before_they_meet_the_features() -> None:
    # z_0 = sum v_0^2 / 2, so dz_0/dv = (v_0, 0), whose means are (2, 0); z_1 = 3 max(v_1), whose gradient is 3
    # at one cell of six: (0, 1/2).
    def head(feature_map: Tensor) -> Tensor:
        squares = feature_map[:, 0].square().sum(dim=(1, 2)) / 2
        return torch.stack([squares, 3 * feature_map[:, 1].amax(dim=(1, 2))], dim=1)

    maps = grad_cams(headed_network(head), FEATURE_MAP, torch.tensor([[0, 1]]))
    torch.testing.assert_close(maps[0], torch.stack([2 * FEATURE_MAP[0, 0], FEATURE_MAP[0, 1] / 2]))


def test_class_activation_maps_and_the_bias_average_to_the_logits() -> None:
    explained = network("resnet18")
    observation = explained.observe(images(), differentiable=False)
    maps = cam.activation_map(explained, observation, all_classes(explained, observation.feature_map))
    _, bias = explained.linear()
    assert bias is not None
    torch.testing.assert_close(maps.mean(dim=(2, 3)) + bias, observation.logits)


# What both keep to


def test_they_agree_on_pooled_linear_heads() -> None:
    explained = network("resnet18")
    class_index = torch.tensor([[0, 4], [5, 5], [2, 1]])
    expected = cams(explained, images(), class_index) / 6  # 3 x 2 cells
    assert expected.shape == (3, 2, 3, 2)
    torch.testing.assert_close(grad_cams(explained, images(), class_index), expected)


@pytest.mark.parametrize("name", HEADS)
def test_several_classes_equal_each_by_itself(name: str) -> None:
    class_index = torch.tensor([[0, 4, 4], [5, 2, 3], [1, 0, 5]])
    together = grad_cams(network(name), images(), class_index)
    assert together.any()
    alone = [grad_cams(network(name), images(), class_index[:, p, None]) for p in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=1e-4, atol=1e-7)
    if network(name).has_linear_head:
        alone = [cams(network(name), images(), class_index[:, p, None]) for p in range(3)]
        torch.testing.assert_close(cams(network(name), images(), class_index), torch.cat(alone, dim=1))


@pytest.mark.parametrize("name", HEADS)
def test_batches_equal_single_images(name: str) -> None:
    class_index = torch.tensor([[0, 4], [5, 2], [1, 0]])
    together = grad_cams(network(name), images(), class_index)
    scale = together.abs().max().item()
    for index in range(3):
        rows = slice(index, index + 1)
        alone = grad_cams(network(name), images()[rows], class_index[rows])
        torch.testing.assert_close(alone, together[rows], rtol=1e-4, atol=1e-5 * scale)
        if network(name).has_linear_head:
            alone = cams(network(name), images()[rows], class_index[rows])
            expected = cams(network(name), images(), class_index)[rows]
            torch.testing.assert_close(alone, expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_one_class_in_one_image() -> None:
    explained = network("mobilenet_v3_small")
    class_index = torch.tensor([[0, 4], [5, 2], [1, 0]])
    observation = explained.observe(images(), differentiable=True)
    together = class_gradients(observation.logits, observation.feature_map, class_index)
    assert together.dtype == torch.float32
    for n in range(3):
        for p in range(2):
            feature_map = observation.feature_map[n : n + 1].detach().requires_grad_()
            logit = explained.head(feature_map)[0, class_index[n, p]]
            (expected,) = torch.autograd.grad(logit, feature_map)
            torch.testing.assert_close(together[n, p], expected[0], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["resnet18", "ep", "mobilenet_v3_small"])
def test_the_network_is_left_as_it_was(name: str) -> None:
    explained = network(name)
    parameters = dict(explained.named_parameters())
    for parameter in parameters.values():
        parameter.grad = torch.full_like(parameter, 7.0)
    modes = [module.training for module in explained.modules()]
    state = {key: value.clone() for key, value in explained.state_dict().items()}
    try:
        maps = grad_cams(explained, images(), torch.tensor([[0, 1], [2, 3], [4, 5]]))
        assert not maps.requires_grad
        for parameter in parameters.values():
            assert parameter.requires_grad
            assert parameter.grad is not None
            assert (parameter.grad == 7).all()
    finally:
        explained.zero_grad(set_to_none=True)
    assert [module.training for module in explained.modules()] == modes
    assert not any(hooks(module) for module in explained.modules())
    for key, value in explained.state_dict().items():
        assert torch.equal(value, state[key])


def hooks(module: nn.Module) -> list[Any]:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for kind in kinds for hook in getattr(module, kind).values()]


def test_it_works_on_a_network_in_training_mode_and_leaves_it_there() -> None:
    explained = headed_network(lambda feature_map: F.dropout(feature_map.mean(dim=(2, 3)), 0.0)).train()
    maps = grad_cams(explained, FEATURE_MAP, torch.tensor([[1, 0]]))
    torch.testing.assert_close(maps, FEATURE_MAP.flip(1) / 6)
    assert explained.training
    assert explained.model.training


def test_frozen_networks_are_explained_too() -> None:
    class_index = torch.tensor([[0, 1], [2, 3], [4, 5]])
    explained = network("mobilenet_v3_small")
    expected = grad_cams(explained, images(), class_index)
    explained.requires_grad_(requires_grad=False)
    try:
        torch.testing.assert_close(grad_cams(explained, images(), class_index), expected)
        assert not any(parameter.requires_grad for parameter in explained.parameters())
    finally:
        explained.requires_grad_(requires_grad=True)


def test_no_grad_around_it_changes_nothing() -> None:
    explained, class_index = network("mobilenet_v3_small"), torch.tensor([[0, 1], [2, 3], [4, 5]])
    expected = grad_cams(explained, images(), class_index)
    with torch.no_grad():
        torch.testing.assert_close(grad_cams(explained, images(), class_index), expected)


def test_autocast_around_it_changes_nothing() -> None:
    explained, class_index = network("resnet18"), torch.tensor([[0, 1], [2, 3], [4, 5]])
    first = class_index[:, :1]
    observations = [explained.observe(images(), differentiable=True) for _ in range(4)]
    expected = cam.activation_map(explained, observations[0], class_index)
    with torch.autocast("cpu", torch.bfloat16):
        assert explained(images()).dtype == torch.bfloat16  # autocast is at work
        assert torch.equal(cam.activation_map(explained, observations[0], class_index), expected)
        several = cam.grad_cam(explained, observations[0], class_index)
        one = cam.grad_cam(explained, observations[1], first)
    assert torch.equal(several, cam.grad_cam(explained, observations[2], class_index))
    assert torch.equal(one, cam.grad_cam(explained, observations[3], first))


def test_heads_that_are_not_linear_have_no_class_activation_map() -> None:
    explained = network("mobilenet_v3_small")
    with pytest.raises(UnsupportedError, match=r"mobilenet_v3_small .* --map gradcam"):
        cams(explained, images(), torch.zeros(3, 1).long())


# Training


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_is_the_classification_loss_of_the_backbone(task: str) -> None:
    torch.manual_seed(0)
    trained = cam.build("small_resnet", 4)
    assert trained.pooling is None
    inputs, targets = torch.randn(4, 3, 32, 32), F.one_hot(torch.tensor([0, 1, 3, 1]), 4).float()
    value, logits, log = cam.loss(trained, LabelledBatch(inputs, targets, task))
    torch.testing.assert_close(logits, trained.model(inputs))
    torch.testing.assert_close(value, classification_loss(logits, targets, task))
    assert log == {}
    value.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
    gradients = [parameter.grad for parameter in trained.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
