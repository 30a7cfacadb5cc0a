from __future__ import annotations

from io import BytesIO

import numpy as np

from tests.outputs.seed_files.examples import PLAIN, VOC, seeds
from wsloc.outputs.seed_files.psa import psa_npy


def test_a_map_a_class_from_zero() -> None:
    maps = np.random.default_rng(0).random((2, 2, 3), np.float32)
    for numbering, keys in ((PLAIN, [0, 2]), (VOC, [7, 19])):
        found = np.load(BytesIO(psa_npy(seeds(), numbering, maps)), allow_pickle=True).item()
        assert list(found) == keys
        assert all(type(key) is int for key in found)
        assert all(cells.dtype == np.float32 for cells in found.values())
        assert (np.stack(list(found.values())) == maps).all()


def test_what_its_readers_do_with_it() -> None:
    """An array of all of VOC's classes, the background first, `1 - the highest` to a power."""
    maps = np.zeros((2, 2, 3), np.float32)
    maps[1, 0] = 1
    found = np.load(BytesIO(psa_npy(seeds(), VOC, maps)), allow_pickle=True).item()
    scores = np.zeros((21, 2, 3), np.float32)
    for key, cells in found.items():
        scores[key + 1] = cells
    scores[0] = (1 - scores[1:].max(axis=0)) ** 4
    assert scores.argmax(axis=0).tolist() == [[20] * 3, [0] * 3]
