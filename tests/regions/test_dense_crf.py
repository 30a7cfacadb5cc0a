from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from wsloc.errors import UnsupportedError
from wsloc.regions.dense_crf import require_dense_crf, smoothed_seeds


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A package in the place of pydensecrf2, which answers with the label to the left; what it was asked."""
    asked: list[Any] = []

    class DenseCRF2D:
        def __init__(self, width: int, height: int, labels: int) -> None:
            asked.append((width, height, labels))
            self.size = (height, width)

        def setUnaryEnergy(self, unary: npt.NDArray[np.int32]) -> None:  # noqa: N802 - the package's own
            self.sure = unary

        def addPairwiseGaussian(self, **options: Any) -> None:  # noqa: N802
            asked.append(options)

        def addPairwiseBilateral(self, **options: Any) -> None:  # noqa: N802
            assert options["rgbim"].shape == (*self.size, 3)
            assert options["rgbim"].flags.c_contiguous
            asked.append({name: value for name, value in options.items() if name != "rgbim"})

        def inference(self, steps: int) -> list[npt.NDArray[np.bool_]]:
            asked.append(steps)
            shifted = np.roll(self.sure, 1, axis=1)
            return [(shifted == label).ravel() for label in range(1, asked[0][2] + 1)]

    package, module, utils = (ModuleType(name) for name in ("pydensecrf", "densecrf", "utils"))
    module.DenseCRF2D = DenseCRF2D  # type: ignore[attr-defined]  # that is how it is made
    utils.unary_from_labels = lambda labels, _count, **_options: labels  # type: ignore[attr-defined]  # likewise
    package.densecrf = module  # type: ignore[attr-defined]  # likewise
    for name, value in (
        ("pydensecrf", package),
        ("pydensecrf.densecrf", module),
        ("pydensecrf.utils", utils),
    ):
        monkeypatch.setitem(sys.modules, name, value)
    return asked


def test_what_is_ignored_stays_so_and_the_rest_is_the_fields(stand_in: list[Any]) -> None:
    seeds = np.array([[1, 2, 255, 0], [0, 0, 1, 1]], np.uint8)
    found = smoothed_seeds(seeds, np.zeros((2, 4, 3), np.uint8), 2)
    assert found.tolist() == [[0, 1, 255, 0], [1, 0, 0, 1]]  # what was unsure to the left reads as background
    assert found.dtype == np.uint8
    assert stand_in[0] == (4, 2, 3)
    assert stand_in[1:] == [
        {"sxy": 3, "compat": 3},
        {"sxy": 50, "srgb": 5, "compat": 10},
        10,
    ]  # as IRN has them


def test_a_smaller_picture_will_do(stand_in: list[Any]) -> None:
    seeds = np.repeat(np.repeat(np.array([[1, 0], [0, 2]], np.uint8), 4, axis=0), 4, axis=1)
    found = smoothed_seeds(seeds, np.zeros((4, 4, 3), np.uint8), 2)
    assert stand_in[0] == (4, 4, 3)
    assert found.shape == (8, 8)
    assert found[0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_nothing_to_smooth(stand_in: list[Any]) -> None:
    ignored = np.full((2, 2), 255, np.uint8)
    assert (smoothed_seeds(ignored, np.zeros((2, 2, 3), np.uint8), 1) == 255).all()
    assert (smoothed_seeds(ignored * 0, np.zeros((2, 2, 3), np.uint8), 0) == 0).all()
    assert stand_in == []


def test_without_the_package_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.delitem(sys.modules, "pydensecrf.densecrf", raising=False)
    with pytest.raises(UnsupportedError, match=r"pip install 'wsloc\[crf\]'"):
        require_dense_crf()


def test_the_real_one_follows_the_edges() -> None:
    """A square that is seeded two pixels too far to the left."""
    pytest.importorskip("pydensecrf.densecrf")
    picture = np.full((40, 40, 3), 30, np.uint8)
    picture[10:30, 10:30] = 220
    seeds = np.zeros((40, 40), np.uint8)
    seeds[10:30, 8:28] = 1
    seeds[:4] = 255
    found = smoothed_seeds(seeds, picture, 1)
    assert (found[:4] == 255).all()
    assert (found[4:] == (picture[4:, :, 0] > 100)).all()
