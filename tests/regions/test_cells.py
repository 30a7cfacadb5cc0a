from __future__ import annotations

import math
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from wsloc.errors import MapError
from wsloc.regions.cells import checked_map, integer_cells

VALUES = np.array([[0, 1, 2], [3, 0, 64]])


@pytest.mark.parametrize(
    ("activation_map", "message"),
    [
        (np.zeros(3), r"two dimensions .* shape \(3,\)"),
        (np.zeros((1, 2, 2)), "map of one class"),
        (torch.zeros(2, 2, 2), "map of one class"),
        (np.float32(3), r"shape \(\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\) is empty"),
        (torch.zeros(4, 0), "is empty"),
        ([[0.0, float("nan")]], "NaN"),
        ([[float("nan"), -1.0]], "NaN"),
        (torch.tensor([[float("nan")]]).bfloat16(), "NaN"),
        ([[0.5, -0.25]], "down to -0.25: apply ReLU"),
        ([[-3, 1]], "down to -3: apply ReLU"),
        ([[float("-inf"), 1.0]], "down to -inf: apply ReLU"),
        ([[float("inf"), 1.0]], "infinite"),
        (np.array([[np.inf]], np.float16), "infinite"),
        (np.ones((2, 2), np.complex64), "real numbers, not complex64"),
        (np.array([["a"]]), "real numbers"),
        (np.array([[None]]), "real numbers, not object"),
    ],
)
def test_unusable_maps_are_named_with_the_remedy(activation_map: npt.ArrayLike, message: str) -> None:
    with pytest.raises(MapError, match=message):
        checked_map(activation_map)


@pytest.mark.parametrize(
    "activation_map",
    [
        VALUES.tolist(),
        *[
            VALUES.astype(kind)
            for kind in (np.uint8, np.int16, np.uint64, np.float16, np.float32, np.float64, np.longdouble)
        ],
        np.asfortranarray(VALUES),
        VALUES.astype(">f4"),
        *[
            torch.from_numpy(VALUES).to(kind)
            for kind in (
                torch.uint8,
                torch.int64,
                torch.float16,
                torch.bfloat16,
                torch.float32,
                torch.float64,
            )
        ],
        torch.from_numpy(VALUES.T.copy()).float().T,
        torch.from_numpy(VALUES).float().requires_grad_(),
        torch.from_numpy(VALUES).to(torch.float8_e5m2),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'dtype', '')}",
)
def test_values_survive_whatever_they_come_as(activation_map: npt.ArrayLike) -> None:
    values = checked_map(activation_map)
    np.testing.assert_array_equal(values, VALUES)
    assert values.dtype.kind in "iu" or values.dtype.itemsize >= 4
    cells = integer_cells(values)
    assert cells.dtype == np.int64
    assert cells.flags.c_contiguous
    np.testing.assert_array_equal(cells * 64, VALUES * cells.max())


def test_negative_zero_and_bool_are_fine() -> None:
    assert integer_cells(checked_map([[-0.0, 1.0]]))[0, 0] == 0
    np.testing.assert_array_equal(integer_cells(checked_map([[True, False]])), [[1, 0]])


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.longdouble])
def test_scaling_is_exact_from_the_subnormal_to_the_largest(kind: type[np.floating[Any]]) -> None:
    information = np.finfo(kind)
    small = np.array([[0, 1, 2], [3, 127, 5]], kind)
    expected = integer_cells(small)
    assert expected.max() >= 2**50
    least, greatest = information.minexp - information.nmant, information.maxexp - 7
    for exponent in (least, least + 1, -120, -60, 0, 60, 100, greatest):
        scaled = np.ldexp(small, exponent)
        assert np.isfinite(scaled).all()
        assert scaled[0, 1] > 0
        np.testing.assert_array_equal(integer_cells(checked_map(scaled)), expected)


def test_sums_stay_within_int64() -> None:
    for shape in ((1, 1), (1, 3), (224, 224), (300, 7)):
        for peak in (np.float32(1), np.nextafter(np.float32(2), np.float32(0)), np.finfo(np.float64).max):
            total = sum(integer_cells(np.full(shape, peak)).ravel().tolist())
            assert 2**60 <= total <= 2**62
    for integer in (np.iinfo(np.int64).max, np.iinfo(np.uint64).max):
        kind = np.int64 if integer < 2**63 else np.uint64
        cells = integer_cells(np.full((5, 5), integer, kind))
        assert 2**60 <= sum(cells.ravel().tolist()) <= 2**62


def test_integers_are_kept_where_their_sum_allows_it() -> None:
    values = np.array([[2**53 + 1, 7], [0, 2**59]])
    np.testing.assert_array_equal(integer_cells(values), values)


def test_rounding_is_below_2_to_the_minus_40_of_the_maximum() -> None:
    values = np.random.default_rng(0).random((64, 64)) ** 8
    cells = integer_cells(values)
    unit = Fraction(2) ** round(math.log2(values.max() / cells.max()))
    errors = [
        abs(Fraction(value) - cell * unit)
        for value, cell in zip(values.ravel().tolist(), cells.ravel().tolist(), strict=True)
    ]
    assert unit / 4 < max(errors) <= unit / 2
    assert unit < Fraction(float(values.max())) / 2**40


def test_regions_load_no_torch() -> None:
    code = "import sys, wsloc.regions.components, wsloc.regions.rectangle; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
