"""Networks under Entropy Pooling: inference on any that were trained without it, and training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.methods.example_networks import headed_network
from wsloc.errors import UnsupportedError
from wsloc.methods import ep
from wsloc.methods.ep import EntropyPooling, entropy_weight, with_entropy_pooling
from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import class_maps
from wsloc.networks.tasks import SINGLE_LABEL, TASKS, LabelledBatch, classification_loss


def test_ep_inference_shares_the_weights_and_leaves_the_network_as_it_was() -> None:
    network = build_backbone("small_resnet", classes=4).train()
    network.model.get_submodule("bn1").eval()  # frozen on purpose, in a network that is being trained
    images = torch.randn(2, 3, 32, 32)
    modes = [module.training for module in network.modules()]
    state = {key: value.clone() for key, value in network.state_dict().items()}

    pooled = with_entropy_pooling(network)
    assert pooled.model is network.model
    assert list(pooled.state_dict()) == list(state)
    assert isinstance(pooled.pooling, EntropyPooling)
    assert pooled.training
    assert network.pooling is None
    assert [module.training for module in network.modules()] == modes
    assert not with_entropy_pooling(network.eval()).training
    with torch.no_grad():
        before = network(images)
        assert not torch.allclose(pooled(images), before)
        assert torch.equal(network(images), before)
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[key])


def test_built_networks_pool_by_entropy_and_have_no_parameters_of_their_own() -> None:
    torch.manual_seed(0)
    network = ep.build("small_resnet", 4).eval()
    assert list(network.state_dict()) == list(build_backbone("small_resnet", classes=4).state_dict())
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        feature_map = network.features(images)
        expected = EntropyPooling()(feature_map, *network.linear())
        torch.testing.assert_close(network(images), expected)
    assert network(images).shape == (2, 4)


def test_heads_that_are_not_linear_are_refused() -> None:
    network = headed_network(lambda feature_map: feature_map.mean(dim=(2, 3)).relu())
    observation = network.observe(torch.rand(1, 3, 2, 2), differentiable=False)
    with pytest.raises(UnsupportedError, match="by-hand"):
        with_entropy_pooling(network)
    for function in (ep.entropy_map, ep.activation_map, ep.top5_map):
        with pytest.raises(UnsupportedError, match="--map gradcam"):
            function(network, observation, torch.zeros(1, 1).long())
    with pytest.raises(UnsupportedError, match="mobilenet_v3_small"):
        ep.build("mobilenet_v3_small", 4)


# Training


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_is_the_classification_loss_of_the_pooled_logits(task: str) -> None:
    torch.manual_seed(0)
    network = ep.build("small_resnet", 4)
    images = torch.randn(4, 3, 32, 32)
    targets = F.one_hot(torch.tensor([0, 1, 3, 1]), 4).float()
    value, logits, log = ep.loss(network, LabelledBatch(images, targets, task))
    torch.testing.assert_close(logits, network(images))
    torch.testing.assert_close(value, classification_loss(logits, targets, task))
    assert set(log) == {"mean_lambda", "equal_entropies"}
    assert not log["mean_lambda"].requires_grad
    with torch.no_grad():
        localized = class_maps(network.features(images), *network.linear())
    torch.testing.assert_close(log["mean_lambda"], entropy_weight(localized).mean())
    value.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    reached = gradients["model.conv1.weight"]
    assert reached is not None
    assert reached.any()


def test_a_few_steps_of_training_learn_a_separable_toy() -> None:
    torch.manual_seed(0)
    network = ep.build("small_resnet", 2).train()
    images = 0.1 * torch.randn(8, 3, 32, 32)
    labels = torch.arange(8) % 2
    images[labels == 1, 0, 8:24, 8:24] += 2.0
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(12):
        value, _, _ = ep.loss(network, LabelledBatch(images, F.one_hot(labels, 2).float(), SINGLE_LABEL))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        optimizer.step()
        losses.append(value.item())
    assert losses[-1] < losses[0] / 2
