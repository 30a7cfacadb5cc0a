"""Random selections: their rates, what is never dropped, and what they depend on."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from wsloc.networks import unit_selection
from wsloc.networks.unit_selection import kept_units, windows_inside

if TYPE_CHECKING:
    import numpy.typing as npt


def units(
    key: tuple[int, ...], draws: int, cells: int, offsets: int, rate: float, *, centre: bool = True
) -> npt.NDArray[np.bool_]:
    return np.concatenate(list(kept_units(key, draws, cells, offsets, rate, centre=centre)), axis=1)


@pytest.mark.parametrize(("height", "width", "kernel"), [(3, 4, 3), (1, 2, 5), (4, 3, 1), (5, 5, 9)])
def test_windows_lie_on_the_grid_or_not(height: int, width: int, kernel: int) -> None:
    found = windows_inside(torch.zeros(1, 1, height, width), kernel).view(height, width, kernel, kernel)
    reach = kernel // 2
    for i, j, a, b in itertools.product(range(height), range(width), range(kernel), range(kernel)):
        centre = (i - (a - reach), j - (b - reach))
        assert found[i, j, a, b] == (0 <= centre[0] < height and 0 <= centre[1] < width)


@pytest.mark.parametrize("rate", [0.9, 0.5, 0.3, 0.99, 0.999])
def test_the_rate_is_exact_and_the_centre_stays(rate: float) -> None:
    kept = units((1, 2), 400, 100, 81, rate)
    assert kept.shape == (100, 400, 81)
    assert kept[:, :, 40].all()
    others = np.delete(kept, 40, axis=2)
    error = (rate * (1 - rate) / others.size) ** 0.5
    assert abs(others.mean() - (1 - rate)) < 4 * error  # 26 / 256 would be 9 of them away
    for axes in ((0, 1), (0, 2), (1, 2)):  # of every offset, draw and cell
        means = others.mean(axis=axes)
        spread = (rate * (1 - rate) / (others.size / means.size)) ** 0.5
        assert np.abs(means - (1 - rate)).max() < 5 * spread
        assert means.std() == pytest.approx(spread, rel=0.35)
    assert units((1,), 3, 5, 9, 0.0).all()


def test_neighbours_are_independent() -> None:
    kept = units((3,), 300, 60, 25, 0.7, centre=False).astype(float) - 0.3
    for axis in range(3):
        pairs = np.take(kept, range(kept.shape[axis] - 1), axis) * np.take(
            kept, range(1, kept.shape[axis]), axis
        )
        assert abs(pairs.mean()) < 4 * 0.21 / pairs.size**0.5


def test_draws_depend_on_the_key_and_fewer_are_the_first_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_selection, "CHUNK", 20 * 9 * 7)
    some = units((1, 2), 30, 20, 9, 0.7)
    assert np.array_equal(some, units((1, 2), 30, 20, 9, 0.7))
    for count in (1, 6, 7, 8, 14, 29):
        assert np.array_equal(units((1, 2), count, 20, 9, 0.7), some[:, :count])
    for key in ((2, 1), (1, 3), (1, 2, 1), (2**64 - 1, 2)):
        assert not np.array_equal(units(key, 30, 20, 9, 0.7), some)
    flat = some.transpose(1, 0, 2).reshape(30, -1)
    assert len(np.unique(flat, axis=0)) == 30


def test_no_chunk_is_larger_than_it_may_be() -> None:
    sizes = [kept.shape for kept in kept_units((0,), 300, 1681, 81, 0.9, centre=True)]
    assert sum(size[1] for size in sizes) == 300
    assert max(np.prod(size) for size in sizes) <= unit_selection.CHUNK
    assert next(kept_units((0,), 2, 6000, 441, 0.9, centre=True)).shape == (6000, 1, 441)


def test_draws_are_the_same_in_every_version() -> None:
    kept = units((0, 7), 2, 4, 9, 0.7)
    assert np.packbits(kept).tolist() == [12, 12, 2, 13, 1, 179, 66, 162, 24]
