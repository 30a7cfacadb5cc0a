from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wsloc.outputs.seed_files.run_lengths import decode, encode


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (60, 90)])
def test_there_and_back(size: tuple[int, int]) -> None:
    labels = np.array([0, 1, 2, 255], np.uint8)[np.random.default_rng(0).integers(0, 4, size)]
    codes = encode(labels, [0, 1, 2, 7, 255])
    for code, value in zip(codes, [0, 1, 2, 7, 255], strict=True):
        assert (decode(code, size) == (labels == value)).all()


@pytest.mark.parametrize("size", [(300, 400), (1, 5000), (5000, 1)])
def test_long_runs_have_several_digits_and_shrink(size: tuple[int, int]) -> None:
    labels = np.zeros(size, np.uint8)
    labels.reshape(-1)[[0, 5, 6, 2000]] = 1
    labels.reshape(-1)[3000:] = 1
    for value in (0, 1):
        (code,) = encode(labels, [value])
        assert (decode(code, size) == (labels == value)).all()


def test_they_are_cocos_own() -> None:
    labels = np.zeros((4, 5), np.uint8)
    labels[1:3, 2:] = 1
    (code,) = encode(labels, [1])
    expected = coco_mask.encode(np.asfortranarray(labels))
    assert code.encode() == expected["counts"]


@pytest.mark.parametrize("code", ["", "P", "0", "zz", "~1", "\x07"])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="is no run-length code"):
        decode(code, (4, 5))
