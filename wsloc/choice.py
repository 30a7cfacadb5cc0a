"""Which classes of each image are explained: the best ones, those that are named, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Choice:
    """Guesses first, then what each image is said to show.

    Attributes:
        best: how many of the most probable classes; each is a guess.
        rows: class indices of each image, its own; none if nothing is named.
        alone: whether a map that depends on which classes go together (RIB's) is made for each guess by itself; else
            guesses may share what is made for the rows.
    """

    best: int = 0
    rows: Sequence[Sequence[int]] = ()
    alone: bool = True

    def __call__(self, scores: Tensor) -> Tensor:
        """Classes (N, P) by probabilities (N, C): `guesses` of them, then the rows, shorter ones repeating a class."""
        parts = [scores.topk(self.guesses(scores), dim=1).indices]
        if any(self.rows):
            longest = max(map(len, self.rows))
            padded = [[*row, *[row[0]] * (longest - len(row))] for row in self.rows]
            parts.append(torch.tensor(padded, device=scores.device))
        return torch.cat(parts, dim=1)

    def guesses(self, scores: Tensor) -> int:
        """How many of the classes are guesses: all there are, where they are fewer than the best asked for."""
        return min(self.best, scores.shape[1])
