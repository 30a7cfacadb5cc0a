"""Soft masks of attention, and what fills them."""

from __future__ import annotations

import pytest
import torch

from wsloc.networks.soft_masks import FILLS, NORMALIZATIONS, PATCHES, normalized, soft_mask


def test_attention_is_brought_to_one_by_a_constant() -> None:
    maps = torch.tensor([[[1.0, 2.0], [4.0, 0.0]]], requires_grad=True)
    shown = normalized(maps)
    assert shown.tolist() == [[[0.25, 0.5], [1, 0]]]
    shown[0, 1, 0].backward()  # type: ignore[no-untyped-call]
    assert maps.grad is not None
    assert maps.grad.tolist() == [[[0, 0], [0.25, 0]]]  # the maximum is no function of the map


def test_the_range_is_stretched() -> None:
    maps = torch.tensor([[1.0, 2.0], [5.0, 3.0]])
    assert normalized(maps, "minmax").tolist() == [[0, 0.25], [1, 0.5]]


@pytest.mark.parametrize("how", NORMALIZATIONS)
def test_maps_of_zeros_stay_zeros(how: str) -> None:
    assert normalized(torch.zeros(2, 3, 3), how).tolist() == torch.zeros(2, 3, 3).tolist()


def test_a_soft_mask_by_hand() -> None:
    maps = torch.tensor([[[0.5, 1.0]]])
    mask = soft_mask(maps, (1, 2), scale=2.0, threshold=0.5)
    expected = torch.tensor([[[[0.5, 1 / (1 + torch.e**-1)]]]])
    torch.testing.assert_close(mask, expected)
    assert soft_mask(maps, (4, 6), 10.0, 0.5).shape == (1, 1, 4, 6)


def test_what_fills_a_mask() -> None:
    images = torch.randn(2, 3, 32, 40, generator=torch.Generator().manual_seed(0))
    assert not FILLS["zero"](images).any()
    mean = FILLS["mean"](images)
    assert mean.shape == images.shape
    torch.testing.assert_close(mean[:, :, 0, 0], images.mean(dim=(2, 3)))
    blurred = FILLS["blur"](images)
    assert blurred.shape == images.shape
    assert blurred.std() < images.std() / 2
    even = torch.ones(1, 3, PATCHES, PATCHES)
    torch.testing.assert_close(FILLS["blur"](even), even)
    torch.manual_seed(3)
    noise = FILLS["noise"](images)
    assert noise.shape == images.shape
    assert noise.std() == pytest.approx(1, abs=0.05)
