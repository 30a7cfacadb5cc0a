"""CAM and Grad-CAM are the maps that torchcam and pytorch-grad-cam compute, on random networks."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from torch import Tensor, nn

from tests.methods.example_networks import all_classes, random_images, random_network
from wsloc.methods import cam
from wsloc.networks.map_operations import normalize_by_max, normalize_by_range, upsample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from wsloc.networks.network import Network

CLASSES = 6

LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "resnet18": lambda model: model.layer4,
    "vgg11": lambda model: model.features[-2],  # the ReLU before the last pooling
    "mobilenet_v3_small": lambda model: model.features,
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def peer(module: str) -> ModuleType:
    """An implementation to compare with, or a skipped test where it is not installed."""
    # What an import warns of depends on Python's version, and is not ours to mend.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cast(
            "ModuleType", pytest.importorskip(module, reason=f"{module} is not there to compare with")
        )


@cache
def network(name: str) -> Network:
    """A network with clear answers, since peers add up to 1e-7 to their divisors; frozen, which is quicker."""
    explained = random_network(name, CLASSES).requires_grad_(requires_grad=False)
    last = [module for module in explained.modules() if isinstance(module, nn.Linear)][-1]
    last.weight.mul_(1000)
    return explained


@pytest.fixture(scope="module", autouse=True)
def _free_networks() -> Iterator[None]:
    """Gives the memory back to the other test files."""
    yield
    network.cache_clear()


@cache
def images() -> Tensor:
    return random_images()


def grad_cams(explained: Network, class_index: Tensor) -> Tensor:
    return cam.grad_cam(explained, explained.observe(images(), differentiable=True), class_index)


def clear_classes(explained: Network) -> Tensor:
    """The class (N, 1) with the clearest map in each image: peers could only agree on an empty one."""
    with torch.no_grad():
        feature_map = explained.features(images())
    maps = grad_cams(explained, all_classes(explained, feature_map))  # (N, C, h, w)
    clearest = maps.amax(dim=(2, 3)).max(dim=1, keepdim=True)
    assert clearest.values.min() > 1e-3
    return clearest.indices


def test_torchcam_computes_the_same_cam() -> None:
    methods = peer("torchcam.methods")
    explained = network("resnet18")
    with methods.CAM(explained.model, "layer4", "fc") as extractor, torch.no_grad():
        explained.model(images())
        (theirs,) = extractor([0, 4, 2], normalized=False)
        (theirs_stretched,) = extractor([0, 4, 2])
    observation = explained.observe(images(), differentiable=False)
    ours = cam.activation_map(explained, observation, torch.tensor([[0], [4], [2]])).squeeze(1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4 * theirs.abs().max().item())
    torch.testing.assert_close(normalize_by_range(ours), theirs_stretched, rtol=0, atol=1e-4)


@every_layer
def test_torchcam_computes_the_same_grad_cam(name: str) -> None:
    methods = peer("torchcam.methods")
    explained = network(name)
    class_index = clear_classes(explained)
    with methods.GradCAM(explained.model, LAYERS[name](explained.model)) as extractor:
        scores = explained.model(images().clone().requires_grad_())
        (theirs,) = extractor(class_index.squeeze(1).tolist(), scores, normalized=False)
    ours = grad_cams(explained, class_index).squeeze(1).relu()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4 * theirs.max().item())
    torch.testing.assert_close(normalize_by_max(ours), normalize_by_max(theirs), rtol=0, atol=1e-4)


@every_layer
def test_pytorch_grad_cam_computes_the_same_grad_cam(name: str) -> None:
    peer_methods = peer("pytorch_grad_cam")
    target = peer("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget
    explained = network(name)
    class_index = clear_classes(explained)
    targets = [target(index) for index in class_index.squeeze(1).tolist()]
    with peer_methods.GradCAM(explained.model, [LAYERS[name](explained.model)]) as extractor:
        theirs = torch.from_numpy(extractor(images().clone().requires_grad_(), targets))  # (N, H, W), 0-1
    ours = normalize_by_range(grad_cams(explained, class_index).relu())
    ours = normalize_by_range(upsample(ours, (96, 64))).squeeze(1)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
