"""What counts as a number in Python's calls: NumPy's scalars as much as Python's own, but no words."""

from __future__ import annotations

from numbers import Integral, Real


def is_whole(value: object) -> bool:
    """Whether a value is a whole number: an `int`, or one of NumPy's; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether a value is a real number of any type; NaN and infinity are."""
    return isinstance(value, Real) and not isinstance(value, bool)
