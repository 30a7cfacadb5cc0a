"""Which classes a network is fine-tuned for at once, where its maps are made class by class and image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

ClassSet = tuple[int, ...]


class ClassTuning(NamedTuple):
    """One fine-tuning.

    Attributes:
        image: its place in a batch.
        own: the classes it is for.
        shown: the classes it gives maps of, the own ones first.
    """

    image: int
    own: ClassSet
    shown: ClassSet


def class_sets(row: Sequence[int], guesses: int, *, alone: bool) -> list[ClassSet]:
    """For each class that is explained of an image, those that the network is fine-tuned for where its map is made.

    Args:
        row: the classes, P; one that stands there twice counts once.
        guesses: how many of them come first as guesses; the others are the image's own, and go together.
        alone: whether each guess is a set of its own; else guesses go with the own classes, if there are any.
    """
    own = tuple(dict.fromkeys(row[guesses:]))
    return [(index,) if alone or not own else own for index in row[:guesses]] + [own] * (len(row) - guesses)


def class_tunings(image: int, row: Sequence[int], sets: Sequence[ClassSet]) -> list[ClassTuning]:
    """The fine-tunings that an image's classes and their sets come to, each once."""
    tunings = []
    for own in dict.fromkeys(sets):
        others = [index for index, asked in zip(row, sets, strict=True) if asked == own]
        tunings.append(ClassTuning(image, own, tuple(dict.fromkeys((*own, *others)))))
    return tunings


def padded(rows: Sequence[ClassSet], own: Sequence[ClassSet], device: torch.device) -> tuple[Tensor, Tensor]:
    """Rows of classes (I, P), int64, shorter ones repeating their first; and 1 where they are own, else 0, (I, P).

    Args:
        rows: of each of I.
        own: the first so many of each row.
        device: of the tensors.
    """
    longest = max(map(len, rows))
    indices = [[*row, *row[:1] * (longest - len(row))] for row in rows]
    counted = [[1.0] * len(first) + [0.0] * (longest - len(first)) for first in own]
    return torch.tensor(indices, device=device), torch.tensor(counted, device=device)
