"""The registries: whatever is registered answers in the one way that the rest of wsloc asks."""

from __future__ import annotations

import inspect
import pkgutil
import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F

import wsloc.methods
from tests.methods.example_networks import fickle_network, headed_network, linear_network
from wsloc.errors import UnsupportedError
from wsloc.methods import MAPS, METHODS
from wsloc.methods.ep import with_entropy_pooling
from wsloc.networks.map_operations import NORMALIZATIONS
from wsloc.networks.network import Network, Observation
from wsloc.networks.tasks import TASKS, LabelledBatch

if TYPE_CHECKING:
    from types import ModuleType

FILES = [
    import_module(f"wsloc.methods.{entry.name}") for entry in pkgutil.iter_modules(wsloc.methods.__path__)
]
CLASSES = 7
CLASS_INDEX = torch.tensor([[0, 6, 3], [5, 5, 1]])

every_method = pytest.mark.parametrize("name", METHODS)
every_map = pytest.mark.parametrize("name", MAPS)


def explained(name: str, *, differentiable: bool | None = None) -> tuple[Network, Observation]:
    """A network and what it made of two images, as a map asks for them."""
    torch.manual_seed(0)
    network = linear_network(torch.randn(CLASSES, 4), torch.randn(CLASSES))
    if MAPS[name].stochastic:
        network = fickle_network(torch.randn(CLASSES, 4, 3, 3), torch.randn(CLASSES))
    if MAPS[name].entropy_pooled:
        network = with_entropy_pooling(network)
    needed = MAPS[name].needs_gradient if differentiable is None else differentiable
    return network, with_branches(network.observe(torch.rand(2, 4, 3, 5), differentiable=needed))


def with_branches(observation: Observation) -> Observation:
    """As if the network had two BEW layers."""
    return replace(observation, branch_weights=(torch.rand(2, 3, 5), torch.rand(2, 3, 5)))


# Methods


def test_every_file_is_registered() -> None:
    assert FILES
    registered = {inspect.getmodule(kind.activation_map) for kind in MAPS.values()} | set(METHODS.values())
    assert set(FILES) <= registered


@pytest.mark.parametrize("module", FILES, ids=lambda module: module.__name__)
def test_every_file_names_its_paper_and_documents_what_is_public(module: ModuleType) -> None:
    assert re.search(r"et al\., .+,\s+(ICCV|CVPR|ECCV|NeurIPS)\s+20\d\d", inspect.getdoc(module) or "")
    public = [
        value
        for name, value in vars(module).items()
        if not name.startswith("_") and inspect.getmodule(value) is module and callable(value)
    ]
    assert public
    for value in public:
        assert inspect.getdoc(value), value


@every_method
def test_every_method_builds_a_network_and_trains_it(name: str) -> None:
    method = METHODS[name]
    torch.manual_seed(0)
    network = method.build("small_resnet", CLASSES, dict(method.DEFAULTS))
    assert isinstance(network, Network)
    assert network.name == "small_resnet"
    assert network.training
    images = torch.randn(2, 3, 32, 40)
    targets = F.one_hot(torch.tensor([1, 4]), CLASSES).float()
    for task in TASKS:
        network.zero_grad()
        loss, logits, log = method.loss(network, LabelledBatch(images, targets, task))
        assert loss.ndim == 0
        assert loss.isfinite()
        assert logits.shape == (2, CLASSES)
        assert all(value.ndim == 0 and not value.requires_grad for value in log.values())
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        gradients = {key: parameter.grad for key, parameter in network.named_parameters()}
        assert [key for key, gradient in gradients.items() if gradient is None] == []
        reached = gradients["model.conv1.weight"]
        assert reached is not None
        assert reached.any()


@every_method
def test_what_a_method_trained_it_can_show(name: str) -> None:
    network = METHODS[name].build("small_resnet", CLASSES).eval()
    observation = network.observe(torch.randn(2, 3, 32, 40), differentiable=True)
    assert METHODS[name].activation_map(network, observation, CLASS_INDEX).shape == (2, 3, 4, 5)
    shown = [kind.activation_map for kind in MAPS.values() if kind.per_class]
    assert METHODS[name].activation_map in shown


@every_method
def test_options_have_plain_defaults(name: str) -> None:
    assert all(isinstance(value, bool | int | float | str) for value in METHODS[name].DEFAULTS.values())


# Maps


@every_map
def test_every_map_has_rules_that_exist(name: str) -> None:
    kind = MAPS[name]
    assert kind.box_rule in {"mass", "threshold"}
    assert kind.normalization in NORMALIZATIONS


@every_map
def test_every_map_has_the_shape_it_promises(name: str) -> None:
    network, observation = explained(name)
    with torch.no_grad():  # as maps are made for pictures: even Grad-CAM needs no graph around it
        maps = MAPS[name].activation_map(network, observation, CLASS_INDEX)
    assert maps.shape == (2, 3 if MAPS[name].per_class else 1, 3, 5)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert maps.flatten(1).std(dim=1).min() > 0


@every_map
def test_maps_of_classes_depend_on_the_class_and_shared_ones_do_not(name: str) -> None:
    network, observation = explained(name)
    maps = MAPS[name].activation_map(network, observation, CLASS_INDEX)
    network, observation = explained(name)
    others = MAPS[name].activation_map(network, observation, CLASS_INDEX.flip(1))
    if MAPS[name].per_class:
        torch.testing.assert_close(others, maps.flip(1))
        assert not torch.allclose(others, maps)
    else:
        assert torch.equal(others, maps)


@every_map
def test_maps_that_are_shown_as_they_are_need_no_normalization(name: str) -> None:
    network, observation = explained(name)
    maps = MAPS[name].activation_map(network, observation, CLASS_INDEX)
    if MAPS[name].normalization == "none":
        assert maps.min() >= 0
        assert maps.max() <= 1
    else:
        assert maps.min() < 0  # the case shows why it is needed


@every_map
def test_gradients_are_asked_for_exactly_where_they_are_needed(name: str) -> None:
    network, observation = explained(name, differentiable=False)
    if MAPS[name].needs_gradient:
        with pytest.raises(RuntimeError, match="does not require grad"):
            MAPS[name].activation_map(network, observation, CLASS_INDEX)
    else:
        assert MAPS[name].activation_map(network, observation, CLASS_INDEX).isfinite().all()


@every_map
def test_linear_heads_are_asked_for_exactly_where_they_are_needed(name: str) -> None:
    network: Network = headed_network(
        lambda feature_map: feature_map.amax(dim=(2, 3)).repeat(1, 2)[:, :CLASSES]
    )
    observation = with_branches(network.observe(torch.rand(2, 4, 3, 5), differentiable=True))
    if MAPS[name].needs_linear_head or MAPS[name].stochastic:
        with pytest.raises(UnsupportedError, match="by-hand"):
            MAPS[name].activation_map(network, observation, CLASS_INDEX)
    else:
        assert MAPS[name].activation_map(network, observation, CLASS_INDEX).isfinite().all()
