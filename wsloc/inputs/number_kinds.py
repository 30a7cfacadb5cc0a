"""What counts as a number: in Python's calls NumPy's scalars as much as Python's own, but no words; in files digits."""

from __future__ import annotations

from numbers import Integral, Real

MOST_DIGITS = (
    18  # of a number in a file: no class or image has a longer one, and Python refuses to read very long ones
)


def is_whole(value: object) -> bool:
    """Whether a value is a whole number: an `int`, or one of NumPy's; True and False are not."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: object) -> bool:
    """Whether a value is a real number of any type; NaN and infinity are."""
    return isinstance(value, Real) and not isinstance(value, bool)


def whole_of(text: str) -> int | None:
    """The whole number, 0 or greater, that a file's text is: decimal digits alone, at most 18; None if it is none."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None
