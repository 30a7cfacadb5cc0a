"""Pictures to localize in, a localizer that is quick enough for hundreds of them, and comparisons of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.scenes import make_scene
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.localizer import Localizer
from wsloc.networks.network import Family, Network
from wsloc.records import Classes, Localization

if TYPE_CHECKING:
    import numpy.typing as npt


def picture(seed: int = 0, size: tuple[int, int] = (60, 80)) -> npt.NDArray[np.uint8]:
    """A scene of (height, width) pixels."""
    return make_scene(np.random.default_rng(seed), size, [seed % 8]).picture


def maps_of(record: Localization) -> npt.NDArray[np.float32]:
    """The record's activation maps, which it must have."""
    assert record.activation_maps is not None
    return record.activation_maps


def assert_close(one: Localization, other: Localization) -> None:
    """The same up to rounding: boxes within a pixel, probabilities and maps to 1e-4."""
    assert (one.image, one.width, one.height, one.map) == (other.image, other.width, other.height, other.map)
    assert len(one.predictions) == len(other.predictions) > 0
    for left, right in zip(one.predictions, other.predictions, strict=True):
        assert left.class_index == right.class_index
        assert left.probability == pytest.approx(right.probability, abs=1e-4)
        assert left.box == pytest.approx(right.box, abs=1)
    np.testing.assert_allclose(maps_of(one), maps_of(other), atol=1e-4)


class Tiny(nn.Module):
    """One convolution to 5 channels, and a linear layer to 4 classes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.trunk, self.fc = nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.Linear(5, 4)
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)


def tiny_localizer(**fields: Any) -> Localizer:
    """A pooled linear head on one convolution; inputs of 8 x 8 pixels become grids of 4 x 4."""
    family = Family(
        "tiny",
        features=lambda model, images: model.get_submodule("trunk")(images).relu(),
        head=lambda model, feature_map: model.get_submodule("fc")(feature_map.mean(dim=(2, 3))),
        linear=lambda model: model.get_submodule("fc"),
        stride=2,
    )
    names = ("a", "b", "c", "d")
    settings = {
        "network": Network("tiny", Tiny(), family).eval(),
        "classes": Classes(names, names),
        "preprocessing": Preprocessing(image_size=8),
        "task": "single-label",
        "source": "model",
        **fields,
    }
    return Localizer(**settings)


class Limited(Network):
    """A network whose device holds a few inputs at once.

    Args:
        network: what it does as long as they are no more.
        most: how many they may be.
    """

    def __init__(self, network: Network, most: int) -> None:
        super().__init__(network.name, network.model, network.family)
        self.pooling = network.pooling
        self.most = most
        self.passes: list[int] = []
        self.eval()

    def features(self, images: Tensor) -> Tensor:
        self.passes.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().features(images)
