"""A training starts from another one's trunk, and from its classifier only where the classes are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torchvision.models import vgg16

from wsloc.errors import CheckpointError
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.methods import bew, cam, ep, ficklenet
from wsloc.networks.checkpoints import Checkpoint, save_checkpoint
from wsloc.networks.initial_weights import load_initial_weights
from wsloc.records import Classes

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from wsloc.methods import Method
    from wsloc.networks.network import Network

SAME = Classes(("a", "b", "c"), ("a", "b", "c"))
OTHER = Classes(("a", "b", "d"), ("a", "b", "d"))
MORE = Classes(("a", "b", "c", "d"), ("a", "b", "c", "d"))


def trained(path: Path, network: Network) -> dict[str, Tensor]:
    weights = network.model.state_dict()
    save_checkpoint(Checkpoint("gap", network.name, SAME, Preprocessing(image_size=64), weights), path)
    return weights


@pytest.fixture
def source(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(1)
    return tmp_path / "net.pt", trained(tmp_path / "net.pt", cam.build("small_resnet", 3))


def taken(network: Network, weights: dict[str, Tensor]) -> set[str]:
    """Top-level names of the layers that are those of `weights`."""
    own = network.model.state_dict()
    return {key.partition(".")[0] for key in own if key in weights and torch.equal(own[key], weights[key])}


@pytest.mark.parametrize(
    ("classes", "fc"), [(SAME, True), (OTHER, False), (MORE, False)], ids=["same", "other", "more"]
)
def test_the_classifier_is_taken_over_for_the_same_classes(
    source: tuple[Path, dict[str, Tensor]], classes: Classes, fc: bool
) -> None:
    path, weights = source
    torch.manual_seed(2)
    network = ep.build("small_resnet", len(classes))
    load_initial_weights(network, path, classes)
    assert taken(network, weights) == {"conv1", "bn1", "layer1", "layer2", "layer3", *(["fc"] if fc else [])}


def test_branches_come_along_or_stay_random(source: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    path, weights = source
    torch.manual_seed(2)
    network = bew.build("small_resnet", 3)
    load_initial_weights(network, path, SAME)
    assert "bew" not in taken(network, weights)
    branched = trained(tmp_path / "bew.pt", bew.build("small_resnet", 3))
    load_initial_weights(network, tmp_path / "bew.pt", SAME)
    assert "bew" in taken(network, branched)
    plain = cam.build("small_resnet", 3)
    load_initial_weights(plain, tmp_path / "bew.pt", SAME)  # branches that it has not are left out
    assert "layer3" in taken(plain, branched)


def test_a_convolution_in_the_classifiers_place_stays_random_with_its_bias(
    source: tuple[Path, dict[str, Tensor]], tmp_path: Path
) -> None:
    path, weights = source
    torch.manual_seed(2)
    network = ficklenet.build("small_resnet", 3)
    bias = network.model.state_dict()["fc.bias"].clone()
    load_initial_weights(network, path, SAME)
    assert taken(network, weights) == {"conv1", "bn1", "layer1", "layer2", "layer3"}
    assert torch.equal(network.model.state_dict()["fc.bias"], bias)
    own = trained(tmp_path / "fickle.pt", ficklenet.build("small_resnet", 3))
    load_initial_weights(network, tmp_path / "fickle.pt", SAME)
    assert "fc" in taken(network, own)
    load_initial_weights(ficklenet.build("small_resnet", 3, {"kernel": 5}), tmp_path / "fickle.pt", SAME)


def test_somebody_elses_state_dict_gives_its_trunk(tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = cam.build("resnet18", 3).model.state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "net.pth")
    torch.manual_seed(2)
    network = cam.build("resnet18", 3)
    load_initial_weights(network, tmp_path / "net.pth", SAME)
    assert "layer4" in taken(network, state)
    assert "fc" not in taken(network, state)


@pytest.mark.parametrize("method", [cam, ficklenet])
def test_torchvisions_vgg16_gives_its_trunk_to_the_dilated_one(tmp_path: Path, method: Method) -> None:
    state = vgg16(weights=None, init_weights=False).state_dict()
    torch.save(state, tmp_path / "vgg16.pth")
    network = method.build("vgg16_dilated", 3)
    head = network.model.state_dict()["fc.weight"].clone()
    load_initial_weights(network, tmp_path / "vgg16.pth", SAME)
    assert taken(network, state) == {"features"}
    assert torch.equal(network.model.state_dict()["fc.weight"], head)


def test_another_backbone_is_refused(source: tuple[Path, dict[str, Tensor]]) -> None:
    with pytest.raises(
        CheckpointError, match="is of the backbone small_resnet: give --backbone small_resnet"
    ):
        load_initial_weights(cam.build("resnet18", 3), source[0], SAME)


def test_a_trunk_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    network = cam.build("small_resnet", 3)
    weights = {key: value for key, value in network.model.state_dict().items() if "layer2.1" not in key}
    checkpoint = Checkpoint("gap", "small_resnet", SAME, Preprocessing(image_size=64), weights)
    save_checkpoint(checkpoint, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"does not fit small_resnet: it has no layer2\.1"):
        load_initial_weights(network, tmp_path / "net.pt", SAME)
