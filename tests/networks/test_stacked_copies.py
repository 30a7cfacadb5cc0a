"""Stacked weights run as the network's own, and the network keeps its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.func import functional_call, vmap

from tests.methods.example_networks import linear_network, random_images, random_network
from wsloc.errors import UnsupportedError
from wsloc.methods import METHODS
from wsloc.networks.stacked_copies import (
    BIAS,
    WEIGHT,
    LastStagesModule,
    descend,
    features_below,
    require_last_stages,
    stacked_weights,
)

if TYPE_CHECKING:
    from wsloc.networks.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network("small_resnet", 4)


def test_copies_are_the_network_itself(network: Network) -> None:
    stages, weights = LastStagesModule(network), stacked_weights(network, 2)
    below = features_below(network, random_images())
    assert below.shape == (3, 48, 48, 32)
    assert not below.requires_grad
    own = {name: value for name, value in weights.items() if name not in {WEIGHT, BIAS}}
    inputs = below.unsqueeze(0).expand(2, -1, -1, -1, -1)
    with torch.no_grad():
        found = vmap(lambda weights, x: functional_call(stages, weights, (x,)))(own, inputs)
        expected = network.features(random_images())
    for one in found:
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-4)
    weight, bias = network.linear()
    assert bias is not None
    assert torch.equal(weights[WEIGHT], torch.stack([weight, weight]))
    assert torch.equal(weights[BIAS], torch.stack([bias, bias]))
    assert {name.split(".")[1] for name in own} == {"layer2", "layer3"}


def test_the_module_shares_tensors_and_nothing_else(network: Network) -> None:
    network.train()
    try:
        stages = LastStagesModule(network)
        assert network.training
        assert not any(module.training for module in stages.model.modules())
    finally:
        network.eval()
    tensors = [*network.model.parameters(), *network.model.buffers()]
    shared = [*stages.model.parameters(), *stages.model.buffers()]
    assert all(one is other for one, other in zip(tensors, shared, strict=True))
    modules = {id(module) for module in network.model.modules()}
    assert modules.isdisjoint(id(module) for module in stages.model.modules())


def test_a_step_is_that_of_torchs_own_sgd(network: Network) -> None:
    weights = stacked_weights(network, 2)
    generator = torch.Generator().manual_seed(0)
    gradients = {name: torch.randn(value.shape, generator=generator) for name, value in weights.items()}
    expected = {name: torch.nn.Parameter(value.clone()) for name, value in weights.items()}
    for name, parameter in expected.items():
        parameter.grad = gradients[name]
    head = [expected.pop(name) for name in (WEIGHT, BIAS)]
    groups = [{"params": list(expected.values()), "lr": 0.1}, {"params": head, "lr": 0.5}]
    torch.optim.SGD(groups, weight_decay=0.01).step()
    descend(weights, gradients, (0.1, 0.5), 0.01)
    for name, value in (expected | dict(zip((WEIGHT, BIAS), head, strict=True))).items():
        torch.testing.assert_close(weights[name], value.detach())


def test_networks_without_known_stages_are_refused(network: Network) -> None:
    assert require_last_stages(network) is network.family.last_stages
    with pytest.raises(UnsupportedError, match="which are its last two stages is not known"):
        require_last_stages(linear_network(torch.randn(3, 4)))
    with pytest.raises(UnsupportedError, match="use --map cam, or a network without branches"):
        require_last_stages(METHODS["bew"].build("small_resnet", 3))
