from __future__ import annotations

import pickletools
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.outputs.seed_files.examples import PLAIN, VOC, seeds
from wsloc.outputs.seed_files.irn import irn_npy


def loaded(maps: Any, size: tuple[int, int], numbering: Any = PLAIN) -> dict[str, Any]:
    """What `numpy.load(...).item()` gives an IRN step."""
    found = seeds(np.zeros(size), class_indices=(0, 2))
    content = irn_npy(found, numbering, maps)
    values: dict[str, Any] = np.load(BytesIO(content), allow_pickle=True).item()
    return values


@pytest.mark.parametrize("size", [(61, 90), (64, 64), (1, 5)])
def test_shapes_types_and_values(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((2, *size), np.float32)
    maps /= maps.max(axis=(1, 2), keepdims=True)
    found = loaded(maps, size)
    assert list(found) == ["keys", "cam", "high_res"]
    assert torch.is_tensor(found["keys"])
    assert found["keys"].dtype == torch.int64
    assert found["keys"].tolist() == [0, 2]
    height, width = (size[0] - 1) // 4 + 1, (size[1] - 1) // 4 + 1  # as IRN counts
    assert torch.is_tensor(found["cam"])
    assert (found["cam"].shape, found["cam"].dtype) == ((2, height, width), torch.float32)
    coarse = F.interpolate(torch.from_numpy(maps)[None], size=(height, width), mode="bilinear")[0]
    coarse /= coarse.amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(found["cam"], coarse, atol=1e-5, rtol=0)
    assert isinstance(found["high_res"], np.ndarray)
    assert found["high_res"].dtype == np.float32
    assert (found["high_res"] == maps).all()


def test_the_next_step_of_irn() -> None:
    """`keys + 1` are the numbers of the index PNGs, VOC's too; the background is put before them."""
    maps = np.zeros((2, 4, 4), np.float32)
    maps[0, :2], maps[1, 2:] = 1, 1
    found = loaded(maps, (4, 4), VOC)
    keys = np.pad(found["keys"] + 1, (1, 0), mode="constant")
    assert keys.tolist() == [0, 8, 20]
    scores = np.pad(found["high_res"], ((1, 0), (0, 0), (0, 0)), mode="constant", constant_values=0.3)
    assert keys[np.argmax(scores, axis=0)].tolist() == [[8] * 4] * 2 + [[20] * 4] * 2


def test_a_map_of_zeros_stays_so() -> None:
    found = loaded(np.zeros((2, 8, 8), np.float32), (8, 8))
    assert not found["cam"].any()


def test_the_file_is_the_same_every_time_and_for_both_numpys() -> None:
    maps = np.random.default_rng(0).random((2, 9, 9), np.float32)
    first, second = (irn_npy(seeds(np.zeros((9, 9))), PLAIN, maps.copy()) for _ in range(2))
    assert first == second
    stream = BytesIO(first)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    names = {argument for opcode, argument, _ in pickletools.genops(stream.read()) if opcode.name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "torch from_numpy"}
