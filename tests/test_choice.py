"""Guesses, named classes, or both, by image."""

from __future__ import annotations

import pytest
import torch

from wsloc.choice import Choice

SCORES = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("choice", "expected", "guesses"),
    [
        (Choice(2), [[1, 2], [0, 2]], 2),
        (Choice(5), [[1, 2, 0], [0, 2, 1]], 3),
        (Choice(2, [(), ()]), [[1, 2], [0, 2]], 2),
        (Choice(rows=[(2,), (0, 1, 2)]), [[2, 2, 2], [0, 1, 2]], 0),
        (Choice(1, [(2, 0), (1,)]), [[1, 2, 0], [0, 1, 1]], 1),
    ],
)
def test_guesses_come_first_and_short_rows_repeat_a_class(
    choice: Choice, expected: list[list[int]], guesses: int
) -> None:
    found = choice(SCORES)
    assert found.dtype == torch.int64
    assert found.tolist() == expected
    assert choice.guesses(SCORES) == guesses
