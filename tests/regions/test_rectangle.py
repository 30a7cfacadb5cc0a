from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.reference import example_maps
from tests.reference.rectangle_literal import by_definition, by_two_pointers
from wsloc.errors import MapError
from wsloc.regions.cells import integer_cells
from wsloc.regions.rectangle import Rectangle, search, smallest_rectangle

if TYPE_CHECKING:
    from collections.abc import Callable

SHARES = (0.05, 0.1, 0.25, 1 / 3, 0.5, 0.6, 0.75, 0.9, 0.95, 0.98, 0.999, 1.0)
KINDS = ("integers", "binary", "constant", "one pixel", "sparse", "float32", "magnitudes", "spike and tail")

positive_maps = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(0, 255).map(lambda value: value / 16),
).filter(np.any)
shares = st.integers(1, 200).map(lambda value: value / 200)


def small_map(kind: str, generator: np.random.Generator) -> npt.NDArray[Any]:
    """A map of 1 x 1 to 5 x 5 cells; the kinds hold ties, zeros and constants in every mixture."""
    shape = tuple(int(side) for side in generator.integers(1, 6, 2))
    place = tuple(int(generator.integers(side)) for side in shape)
    pixel = np.zeros(shape)
    pixel[place] = 1
    makers: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "integers": lambda: generator.integers(0, 5, shape),
        "binary": lambda: generator.integers(0, 2, shape),
        "constant": lambda: np.full(shape, generator.random(dtype=np.float32)),
        "one pixel": lambda: pixel,
        "sparse": lambda: generator.random(shape) * (generator.random(shape) < 0.2),
        "float32": lambda: generator.random(shape, np.float32),
        "magnitudes": lambda: np.ldexp(1.0, generator.integers(-20, 20, shape)),
        "spike and tail": lambda: pixel + 1 / 64,
    }
    return makers[kind]()


def corners(rectangle: Rectangle) -> tuple[int, int, int, int]:
    return rectangle.top, rectangle.left, rectangle.bottom, rectangle.right


def area(rectangle: Rectangle) -> int:
    return (rectangle.bottom - rectangle.top) * (rectangle.right - rectangle.left)


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_definition_on_small_maps(kind: str) -> None:
    generator = np.random.default_rng(sum(kind.encode()))
    checked = 0
    while checked < 300:  # times eight kinds
        values = small_map(kind, generator)
        if not values.any():
            continue
        mass = SHARES[checked % len(SHARES)]
        box, inside = by_definition(values, Fraction(str(mass)))
        rectangle = smallest_rectangle(values, mass)
        assert (corners(rectangle), rectangle.mass) == (box, float(inside)), (values, mass)
        checked += 1


@pytest.mark.parametrize("shape", [(1, 4), (3, 5), (224, 224)])
def test_what_exact_means(shape: tuple[int, int]) -> None:
    """Exact on the map rounded to 2**-k of the power of two above its maximum, as the docstring has it."""
    k = 62 - math.ceil(math.log2(shape[0] * shape[1]))
    values = np.zeros(shape)
    values[0, 0] = 0.75  # of the next power of two, 1
    for share, counts in ((0.51, True), (0.49, False)):
        values[-1, -1] = share * 2.0**-k
        whole = corners(smallest_rectangle(values, 1)) == (0, 0, *shape)
        assert whole == counts, share


def test_equals_two_pointers_on_medium_maps() -> None:
    generator = np.random.default_rng(0)
    makers = (example_maps.softmax_like, example_maps.gaussian, example_maps.spike_and_tail)
    for case in range(60):
        values = makers[case % 3](20, case)[:, : generator.integers(8, 21)]
        mass = SHARES[case % len(SHARES)]
        box, inside = by_two_pointers(integer_cells(values), Fraction(str(mass)))
        rectangle = smallest_rectangle(values, mass)
        assert (corners(rectangle), rectangle.mass) == (box, float(inside)), (case, mass)


def test_the_references_agree() -> None:
    generator = np.random.default_rng(0)
    for case in range(100):
        values = generator.integers(0, 4, generator.integers(1, 6, 2)) + np.int64(case % 2)
        if values.any():
            share = Fraction(str(SHARES[case % len(SHARES)]))
            expected = by_definition(values, share)
            assert by_two_pointers(values, share) == expected
            assert by_two_pointers(values, share, skip_light=False) == expected


@settings(deadline=None, max_examples=150)
@given(positive_maps, shares)
def test_holds_the_mass_and_no_smaller_rectangle_does(values: npt.NDArray[np.float32], mass: float) -> None:
    rectangle = smallest_rectangle(values, mass)
    assert 0 <= rectangle.top < rectangle.bottom <= values.shape[0]
    assert 0 <= rectangle.left < rectangle.right <= values.shape[1]
    inside = values[rectangle.top : rectangle.bottom, rectangle.left : rectangle.right].sum(dtype=np.float64)
    assert rectangle.mass == inside / values.sum(dtype=np.float64)  # sixteenths: exact in any order
    assert mass <= rectangle.mass <= 1
    (top, left, bottom, right), _ = by_two_pointers((values * 16).astype(np.int64), Fraction(str(mass)))
    assert area(rectangle) == (bottom - top) * (right - left)


@settings(deadline=None, max_examples=60)
@given(positive_maps, shares, st.integers(-120, 110))
def test_a_power_of_two_changes_nothing(values: npt.NDArray[np.float32], mass: float, power: int) -> None:
    expected = smallest_rectangle(values, mass)
    assert smallest_rectangle(np.ldexp(values, power), mass) == expected
    assert smallest_rectangle(np.ldexp(values.astype(np.float64), power * 8), mass) == expected


@settings(deadline=None, max_examples=60)
@given(positive_maps, shares)
def test_mirrors_and_transposes_have_the_same_area_and_mass(
    values: npt.NDArray[np.float32], mass: float
) -> None:
    expected = smallest_rectangle(values, mass)
    for other in (values.T, values[::-1], values[:, ::-1], np.rot90(values)):
        rectangle = smallest_rectangle(other, mass)
        assert (area(rectangle), rectangle.mass) == (area(expected), expected.mass)


@settings(deadline=None, max_examples=60)
@given(positive_maps, shares, st.tuples(*[st.integers(0, 3)] * 4))
def test_a_border_of_zeros_moves_the_rectangle_along(
    values: npt.NDArray[np.float32], mass: float, border: tuple[int, int, int, int]
) -> None:
    above, below, before, after = border
    expected = smallest_rectangle(values, mass)
    rectangle = smallest_rectangle(np.pad(values, ((above, below), (before, after))), mass)
    shifted = (expected.top + above, expected.left + before, expected.bottom + above, expected.right + before)
    assert (corners(rectangle), rectangle.mass) == (shifted, expected.mass)


@pytest.mark.parametrize(
    ("values", "mass", "expected"),
    [
        ([[7.0]], 0.98, (0, 0, 1, 1, 1.0)),
        ([[0, 1, 1, 0, 2]], 0.5, (0, 4, 1, 5, 0.5)),
        ([[0], [1], [1], [0], [2]], 1.0, (1, 0, 5, 1, 1.0)),
        ([[True, True], [True, False]], 0.6, (0, 0, 1, 2, 2 / 3)),  # 1 x 2 before 2 x 1 at one corner
        ([[1, 1, 0], [0, 3, 1], [0, 1, 0]], 0.5, (0, 1, 2, 2, 4 / 7)),  # topmost, then leftmost
        ([[2, 2, 3]], 0.5, (0, 1, 1, 3, 5 / 7)),  # the heavier of two equal areas, though further right
        ([[1, 1, 1, 1]], 0.25, (0, 0, 1, 1, 0.25)),
        ([[1, 0], [0, 1]], 0.98, (0, 0, 2, 2, 1.0)),
    ],
)
def test_known_answers(
    values: npt.ArrayLike, mass: float, expected: tuple[int, int, int, int, float]
) -> None:
    assert smallest_rectangle(values, mass) == Rectangle(*expected)


def test_mass_is_read_as_a_decimal() -> None:
    assert 0.07 * 100 > 7  # what reading it as a float would ask for
    assert smallest_rectangle(np.ones((1, 100)), 0.07).right == 7
    assert smallest_rectangle(np.ones((1, 50)), 0.98).right == 49
    assert smallest_rectangle(np.ones((1, 50)), cast("float", np.float32(0.98))).right == 49
    assert smallest_rectangle(np.ones((1, 50)), np.nextafter(0.98, 1)).right == 50
    assert smallest_rectangle(np.ones((2, 2)), 1).mass == 1
    assert smallest_rectangle(np.ones((2, 2)), 1e-300).mass == 0.25


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (6, 7)])
def test_a_map_of_zeros_gives_the_whole_map_without_mass(shape: tuple[int, int]) -> None:
    whole = Rectangle(0, 0, *shape, mass=0.0)
    assert smallest_rectangle(np.zeros(shape, np.float32)) == whole
    assert smallest_rectangle(torch.zeros(shape), 1.0) == whole
    assert smallest_rectangle(np.zeros(shape, np.uint8), 0.01) == whole


@pytest.mark.parametrize("mass", [0, 0.0, -0.5, 1.0001, 98, float("nan"), float("inf"), True, "much"])
def test_a_mass_outside_0_to_1_is_refused(mass: Any) -> None:
    with pytest.raises(MapError, match=r"in \(0, 1\], not .*0\.98"):
        smallest_rectangle(np.ones((2, 2)), mass)


def test_a_bad_map_is_refused() -> None:
    with pytest.raises(MapError, match="apply ReLU"):
        smallest_rectangle([[1.0, -1.0]])


@pytest.mark.parametrize("mass", [0.3, 0.98])
def test_numpy_and_torch_agree_in_every_precision(mass: float) -> None:
    rounded = torch.from_numpy(example_maps.softmax_like(40, 3)).bfloat16()
    expected = smallest_rectangle(rounded.float().numpy(), mass)
    for kind in (torch.bfloat16, torch.float32, torch.float64):
        assert smallest_rectangle(rounded.to(kind), mass) == expected
    assert smallest_rectangle(rounded.float().requires_grad_(), mass) == expected
    assert smallest_rectangle(np.asfortranarray(rounded.double().numpy()), mass) == expected
    assert smallest_rectangle(rounded.T.contiguous().T, mass) == expected


def test_the_result_is_plain_and_frozen() -> None:
    rectangle = smallest_rectangle(example_maps.gaussian(30, 0))
    assert [type(value) for value in corners(rectangle)] == [int] * 4
    assert type(rectangle.mass) is float
    with pytest.raises(FrozenInstanceError):
        rectangle.top = 3  # type: ignore[misc]  # what is tested
    assert not hasattr(rectangle, "__dict__")


def test_the_map_is_left_as_it_was() -> None:
    for values in (example_maps.gaussian(30, 1), np.arange(12).reshape(3, 4)):
        before = values.copy()
        smallest_rectangle(values, 0.5)
        np.testing.assert_array_equal(values, before)


def window_tests(values: npt.NDArray[np.float32], mass: str) -> int:
    return search(integer_cells(values), Fraction(mass)).window_tests


def test_few_windows_are_tested_on_smooth_maps() -> None:
    makers = (example_maps.softmax_like, example_maps.gaussian)
    for maker in makers:
        counts = [window_tests(maker(224, random_seed), "0.98") for random_seed in range(21)]
        assert 1 <= median(counts) <= 40
        assert max(counts) <= 224


@pytest.mark.parametrize(("size", "cases"), [(64, 20), (224, 15), (512, 2)])
def test_at_most_two_windows_a_row_are_tested_on_adversarial_maps(size: int, cases: int) -> None:
    for random_seed in range(cases):
        assert window_tests(example_maps.spike_and_tail(size, random_seed), "0.98") <= 2 * size
