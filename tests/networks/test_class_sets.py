"""Guesses and own classes, as sets that fine-tunings are for."""

from __future__ import annotations

import pytest
import torch

from wsloc.networks.class_sets import ClassTuning, class_sets, class_tunings, padded

ROW = [4, 1, 3, 1, 2, 1]


@pytest.mark.parametrize(
    ("guesses", "alone", "sets"),
    [
        (0, True, [(4, 1, 3, 2)] * 6),
        (3, True, [(4,), (1,), (3,), (1, 2), (1, 2), (1, 2)]),
        (3, False, [(1, 2)] * 6),
        (6, False, [(4,), (1,), (3,), (1,), (2,), (1,)]),  # no own classes to go with
    ],
)
def test_own_classes_go_together(guesses: int, alone: bool, sets: list[tuple[int, ...]]) -> None:
    assert class_sets(ROW, guesses, alone=alone) == sets


def test_each_set_is_one_tuning_that_shows_what_is_asked_of_it() -> None:
    def tunings(guesses: int, *, alone: bool) -> list[ClassTuning]:
        return class_tunings(7, ROW, class_sets(ROW, guesses, alone=alone))

    assert tunings(3, alone=False) == [(7, (1, 2), (1, 2, 4, 3))]
    assert tunings(3, alone=True) == [
        (7, (4,), (4,)),
        (7, (1,), (1,)),
        (7, (3,), (3,)),
        (7, (1, 2), (1, 2)),
    ]
    assert len(tunings(6, alone=True)) == 4


def test_short_rows_repeat_a_class_that_does_not_count() -> None:
    indices, counted = padded([(1, 2, 4), (3,), (0, 5)], [(1, 2), (3,), (0, 5)], torch.device("cpu"))
    assert indices.tolist() == [[1, 2, 4], [3, 3, 3], [0, 5, 0]]
    assert counted.tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert indices.dtype == torch.int64
