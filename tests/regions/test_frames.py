from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from wsloc.regions.frames import maps_to_image


@pytest.mark.parametrize("image_size", [(64, 64), (300, 200), (20, 90), (1, 1)])
def test_it_is_bilinear_with_aligned_cells(image_size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((3, 64, 48), np.float32)
    expected = F.interpolate(
        torch.from_numpy(maps)[None], size=image_size, mode="bilinear", align_corners=False
    )
    found = maps_to_image(maps, image_size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected[0].numpy(), atol=1e-5)


def test_the_range_is_kept() -> None:
    found = maps_to_image(np.random.default_rng(1).random((1, 7, 7), np.float32), (97, 131))
    assert found.min() >= 0
    assert found.max() <= 1
    assert maps_to_image(np.zeros((0, 4, 4), np.float32), (8, 9)).shape == (0, 8, 9)


def test_each_axis_has_its_own_factor() -> None:
    """A squashed input: the left half of the map is the left half of the image, however long that is."""
    maps = np.zeros((1, 8, 8), np.float32)
    maps[:, :, :4] = 1
    found = maps_to_image(maps, (8, 80))[0]
    assert (found[:, :35] == 1).all()
    assert (found[:, 45:] == 0).all()
    np.testing.assert_allclose(found[0, 39:41], [0.55, 0.45], atol=1e-6)
