"""Normalising, upsampling and differentiating maps: hand cases, properties, and plain loops as references."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.map_operations import (
    NORMALIZATIONS,
    class_gradients,
    normalize_by_max,
    normalize_by_range,
    upsample,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Normalising.


def test_by_max_by_hand() -> None:
    maps = torch.tensor([[[-3.0, 0.0], [1.0, 4.0]], [[-3.0, -1.0], [-2.0, -9.0]]])
    expected = torch.tensor([[[0.0, 0.0], [0.25, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert torch.equal(normalize_by_max(maps), expected)


def test_by_range_by_hand() -> None:
    maps = torch.tensor([[[-3.0, 0.0], [1.0, 5.0]], [[-2.0, -2.0], [-2.0, -2.0]]])
    expected = torch.tensor([[[0.0, 0.375], [0.5, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert torch.equal(normalize_by_range(maps), expected)


def test_none_leaves_values_as_they_are() -> None:
    maps = torch.tensor([[[-3.0, 0.5]]])
    assert torch.equal(NORMALIZATIONS["none"](maps), maps)
    assert list(NORMALIZATIONS) == ["max", "minmax", "none"]


@pytest.mark.parametrize("name", NORMALIZATIONS)
@pytest.mark.parametrize("value", [0.0, 2.5, -2.5, 1e-40, -1e-40])
def test_constant_maps(name: str, value: float) -> None:
    found = NORMALIZATIONS[name](torch.full((2, 3, 4, 5), value))
    expected = {"max": float(value > 0), "minmax": 0.0, "none": value}[name]
    assert torch.equal(found, torch.full((2, 3, 4, 5), expected))


@pytest.mark.parametrize("normalize", [normalize_by_max, normalize_by_range])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_normalised_maps_are_in_0_1(normalize: Callable[[Tensor], Tensor], data: st.DataObject) -> None:
    value = st.floats(-(2.0**100), 2.0**100, width=32)
    maps = torch.tensor(data.draw(st.lists(value, min_size=8, max_size=8))).reshape(2, 2, 2)
    kept = maps.clone()
    found = normalize(maps)
    assert torch.equal(maps, kept)
    assert ((found >= 0) & (found <= 1)).all()  # and so no NaN
    for one, normal in zip(maps, found, strict=True):
        assert normal.max() == float(one.max() > (0 if normalize is normalize_by_max else one.min()))
        order = one.flatten().argsort()
        assert (normal.flatten()[order].diff() >= 0).all()


@pytest.mark.parametrize("normalize", NORMALIZATIONS.values())
def test_every_map_is_normalised_for_itself_in_float32(normalize: Callable[[Tensor], Tensor]) -> None:
    maps = torch.randn(2, 3, 4, 5).half() * torch.tensor([1.0, 100.0, 1e-3])[:, None, None].half()
    found = normalize(maps)
    assert (found.shape, found.dtype) == (maps.shape, torch.float32)
    for image in range(2):
        for index in range(3):
            assert torch.equal(found[image, index], normalize(maps[image, index]))


# Upsampling.


def test_upsample_by_hand() -> None:
    # Cell centres at 1 and 3 of 4 pixels: pixel centres 0.5, 1.5, 2.5, 3.5 lie at -0.25, 0.25, 0.75, 1.25.
    found = upsample(torch.tensor([[[[0.0, 4.0]]]]), (1, 4))
    assert torch.equal(found, torch.tensor([[[[0.0, 1.0, 3.0, 4.0]]]]))
    square = upsample(torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]]), (4, 4))
    down, across = torch.tensor([0.0, 2.0, 6.0, 8.0]), torch.tensor([0.0, 1.0, 3.0, 4.0])
    assert torch.equal(square[0, 0], down[:, None] + across)


def test_upsample_keeps_height_and_width_apart() -> None:
    maps = torch.rand(2, 3, 4, 5).double()
    found = upsample(maps, (9, 31))
    assert (found.shape, found.dtype) == ((2, 3, 9, 31), torch.float32)
    assert torch.equal(upsample(maps, (4, 5)), maps.float())
    torch.testing.assert_close(found, upsample(maps.transpose(2, 3), (31, 9)).transpose(2, 3))


@given(
    cells=st.lists(st.floats(0, 2.0**100, width=32), min_size=6, max_size=6),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
@settings(max_examples=200, deadline=None)
def test_upsampled_maps_stay_between_their_cells(cells: list[float], size: tuple[int, int]) -> None:
    maps = torch.tensor(cells).reshape(1, 1, 2, 3)
    found = upsample(maps, size)
    assert found.min() >= 0
    assert found.max() <= maps.max()


def test_upsampled_maxima_are_not_exceeded_by_rounding() -> None:
    maps = torch.rand(40, 20, 7, 7, generator=torch.Generator().manual_seed(0))
    maps[::2] = maps[::2, :, :1, :1]  # constant maps: every weighted mean is of equal values
    found = upsample(maps, (100, 133))
    assert (found.amax(dim=(2, 3)) <= maps.amax(dim=(2, 3))).all()


# Gradients.

CHANNELS, CLASSES = 8, 6


def head(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


HEADS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: head(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, CLASSES)),
    "relu mlp": lambda: head(
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 9), nn.ReLU(inplace=True)),
        *(nn.Dropout(0.5, inplace=True), nn.Linear(9, CLASSES)),
    ),
    "mobilenet v3": lambda: head(
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(CHANNELS, 9), nn.Hardswish(inplace=True)),
        *(nn.Dropout(0.2, inplace=True), nn.Linear(9, CLASSES)),
    ),
    "convnext": lambda: head(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(CHANNELS), nn.Linear(CHANNELS, CLASSES)
    ),
    "vgg": lambda: head(
        *(nn.MaxPool2d(2, 2), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(CHANNELS * 9, 9)),
        *(nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(9, CLASSES)),
    ),
    "adaptive pooling to more cells than there are": lambda: head(
        nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(CHANNELS * 49, CLASSES)
    ),
    "squeezenet": lambda: head(
        *(nn.Dropout(0.5), nn.Conv2d(CHANNELS, CLASSES, 1), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    ),
    "batch norm": lambda: head(
        *(nn.Conv2d(CHANNELS, 5, 3, padding=1), nn.BatchNorm2d(5), nn.SiLU(inplace=True)),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES)),
    ),
}


@pytest.fixture(params=HEADS)
def made(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    """A head in evaluation mode and a feature map (3, K, 5, 4)."""
    torch.manual_seed(0)
    return HEADS[request.param]().eval(), torch.randn(3, CHANNELS, 5, 4, requires_grad=True)


def looped(module: nn.Module, feature_map: Tensor, class_index: Tensor) -> Tensor:
    """The gradients one image and class at a time."""
    return torch.stack(
        [
            torch.stack(
                [
                    torch.autograd.grad(module(image[None])[0, index], image)[0]
                    for index in class_index[position]
                ]
            )
            for position, image in enumerate(feature_map.detach().requires_grad_().unbind())
        ]
    )


@pytest.mark.parametrize("classes", [1, 4])
def test_batched_gradients_are_the_loops(made: tuple[nn.Module, Tensor], classes: int) -> None:
    module, feature_map = made
    class_index = torch.randint(0, CLASSES, (3, classes))  # some twice
    found = class_gradients(module(feature_map), feature_map, class_index)
    expected = looped(module, feature_map, class_index)
    assert found.shape == (3, classes, CHANNELS, 5, 4)
    assert expected.any()
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-5)


def test_nothing_is_left_behind(made: tuple[nn.Module, Tensor]) -> None:
    module, feature_map = made
    kept = feature_map.detach().clone()
    logits = module(feature_map)
    assert not class_gradients(logits, feature_map, torch.zeros(3, 2, dtype=torch.int64)).requires_grad
    assert feature_map.grad is None
    assert all(parameter.grad is None for parameter in module.parameters())
    assert torch.equal(feature_map, kept)


def test_gradient_of_a_linear_head_by_hand() -> None:
    feature_map = torch.zeros(2, 2, 1, 2, requires_grad=True)
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    logits = feature_map.mean(dim=(2, 3)) @ weight.T
    found = class_gradients(logits, feature_map, torch.tensor([[0, 2], [1, 1]]))
    expected = weight[torch.tensor([[0, 2], [1, 1]])] / 2  # (N, P, K): a mean over two cells
    assert torch.equal(found, expected[..., None, None].expand(2, 2, 2, 1, 2))


@pytest.mark.parametrize("classes", [1, 3])
def test_logits_that_do_not_depend_on_the_map(classes: int) -> None:
    feature_map = torch.zeros(2, 3, 1, 1, requires_grad=True)
    with pytest.raises(UnsupportedError, match="do not depend on the feature map"):
        class_gradients(torch.zeros(2, 4, requires_grad=True), feature_map, torch.zeros(2, classes).long())
