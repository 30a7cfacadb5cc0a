from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from wsloc.inputs.number_kinds import is_real, is_whole, whole_of


@pytest.mark.parametrize(
    ("value", "whole", "real"),
    [
        (3, True, True),
        (np.int64(3), True, True),
        (np.uint8(3), True, True),
        (3.0, False, True),
        (np.float32(3), False, True),
        (Fraction(1, 3), False, True),
        (math.nan, False, True),
        (True, False, False),
        ("3", False, False),
        (None, False, False),
        (np.arange(2), False, False),
        (3j, False, False),
    ],
)
def test_kinds(value: object, whole: bool, real: bool) -> None:
    assert (is_whole(value), is_real(value)) == (whole, real)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("٣", 3), ("9" * 18, 10**18 - 1), ("9" * 5000, None), ("", None), ("-1", None)]
    + [(text, None) for text in ("+1", "1.0", "1_0", "²", " 1", "nan")],
)
def test_whole_numbers_in_files(text: str, number: int | None) -> None:
    assert whole_of(text) == number
