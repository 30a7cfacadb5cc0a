"""RIB: pooling by hand, maps against the literal loop, and a network that is left as it was."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.methods.example_networks import linear_network, random_network
from tests.reference import rib_literal
from wsloc.choice import Choice
from wsloc.errors import UnsupportedError
from wsloc.inputs.other_images import OtherImages
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.methods import METHODS, require_map, rib
from wsloc.methods.rib import FineTuning, fine_tuned_maps, gndrp
from wsloc.views import Views, explain

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from wsloc.networks.network import Network

CLASSES = 4
# Rates under which a few steps change the maps of a random network by tenths.
QUICK = FineTuning(
    steps=3,
    learning_rate=2e-3,
    classifier_learning_rate=1e-2,
    scales=(1.0, 0.5),
    stop_logit=float("inf"),
    stop_share=1.0,
)


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network("small_resnet", CLASSES)


def images(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 32, 40, generator=torch.Generator().manual_seed(3))


def tuned(
    network: Network,
    inputs: Tensor,
    class_index: Sequence[Sequence[int]],
    settings: FineTuning,
    **options: Any,
) -> Tensor:
    views = Views(settings.scales, settings.flip)
    return fine_tuned_maps(
        *(network, inputs, lambda part: views.of(part, 8), torch.tensor(class_index), settings), **options
    )


# Pooling


def test_pooling_by_hand() -> None:
    """Of a maximum of 10, cells of 4 and more are left out; below stay 3.9, -6 and 0, over all 6 cells."""
    cells = torch.tensor([[10.0, 4.0, 3.9], [-6.0, 0.0, 7.0]], requires_grad=True)
    pooled = gndrp(cells, 0.4)
    assert pooled.item() == pytest.approx((3.9 - 6) / 6)
    (gradient,) = torch.autograd.grad(pooled, cells)
    expected = torch.tensor([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]) / 6  # the mask itself has no gradient
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("cells", [[[-1.0, -4.0], [-2.0, -3.0]], [[0.0, -4.0], [-2.0, 0.0]]])
def test_a_map_without_a_positive_value_is_pooled_as_a_whole(cells: list[list[float]]) -> None:
    maps = torch.tensor(cells, requires_grad=True)
    pooled = gndrp(maps, 0.4)
    assert pooled.item() == np.mean(cells)
    (gradient,) = torch.autograd.grad(pooled, maps)
    assert torch.equal(gradient, torch.full((2, 2), 0.25))


def test_each_map_is_pooled_by_its_own_maximum() -> None:
    maps = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    maps[1, 2] -= 10
    expected = torch.stack([rib_literal.gndrp(one, 0.4) for one in maps.flatten(0, 1)]).view(2, 3)
    torch.testing.assert_close(gndrp(maps, 0.4), expected)
    assert torch.equal(gndrp(maps.clamp(min=0), 0.0), torch.zeros(2, 3))  # nothing lies below a share of 0


# Maps


@pytest.mark.parametrize("normalization", [None, "minmax", "none"])
@pytest.mark.parametrize("flip", [True, False])
def test_no_steps_are_the_cam_of_several_scales(
    network: Network, flip: bool, normalization: str | None
) -> None:
    scales = (1.0, 0.5, 1.5, 2.0)
    chosen = torch.tensor([[0, 2], [3, 1], [1, 0]])
    settings = FineTuning(steps=0, scales=scales, flip=flip)
    common: dict[str, Any] = {"task": "single-label", "normalization": normalization}
    found = explain(
        *(network, images(), ["rib"], lambda _: chosen), views=Views(fine_tuning=settings), **common
    )["rib"]
    cam = explain(*(network, images(), ["cam"], lambda _: chosen), views=Views(scales, flip), **common)["cam"]
    torch.testing.assert_close(found.maps, cam.maps, atol=2e-6, rtol=1e-5)
    assert torch.equal(found.chosen, cam.chosen)
    assert found.maps.shape == (3, 2, 32, 40)


@pytest.mark.parametrize("kind", ["normalized", "raw"])
@pytest.mark.parametrize("bias", [True, False])
def test_side_by_side_equals_the_literal_loop(network: Network, bias: bool, kind: str) -> None:
    own = network if bias else without_bias(network)
    settings = replace(QUICK, sum=kind, side_by_side=3)
    rows = [[0, 2], [3, 3], [1, 1]]  # the last two have one class, repeated
    found = tuned(own, images(), rows, settings)
    before = tuned(own, images(), rows, replace(settings, steps=0))
    assert (found - before).abs().amax(dim=(1, 2, 3)).min() > 0.05
    for image, row, maps in zip(images(), rows, found, strict=True):
        distinct = list(dict.fromkeys(row))
        expected, steps, _ = rib_literal.fine_tuned_map(own, image, distinct, settings)
        assert steps == 4
        torch.testing.assert_close(maps[: len(distinct)], expected, atol=2e-5, rtol=1e-4)
    assert torch.equal(found[1, 0], found[1, 1])


def without_bias(network: Network) -> Network:
    model = deepcopy(network.model)
    weight = model.get_submodule("fc").weight
    assert isinstance(weight, Tensor)
    layer = nn.Linear(weight.shape[1], CLASSES, bias=False)
    layer.load_state_dict({"weight": weight})
    model.set_submodule("fc", layer)
    return type(network)(network.name, model, network.family).eval()


@pytest.mark.parametrize("backbone", ["resnet18", "vgg16_gap"])
def test_other_networks_equal_the_literal_loop(backbone: str) -> None:
    own = random_network(backbone, CLASSES)
    settings = replace(QUICK, steps=1, scales=(1.0,), flip=False, learning_rate=1e-2)
    image = images(1)[:, :, :, :32]
    found = tuned(own, image, [[1, 2]], settings)
    expected, _, _ = rib_literal.fine_tuned_map(own, image[0], [1, 2], settings)
    torch.testing.assert_close(found[0], expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("option", "value"), [("weight_decay", 0.5), ("tau", 0.9), ("power", 0.0), ("flip", False)]
)
def test_every_option_is_the_literal_loops(network: Network, option: str, value: float) -> None:
    given: dict[str, Any] = {option: value}
    settings = replace(QUICK, **given)
    found, plain = (tuned(network, images(1), [[1]], each) for each in (settings, QUICK))
    expected, _, _ = rib_literal.fine_tuned_map(network, images(1)[0], [1], settings)
    torch.testing.assert_close(found[0], expected, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(found, plain, atol=1e-3)


def test_neither_batch_nor_number_side_by_side_matters(network: Network) -> None:
    rows = [[0, 2], [3, 1], [1, 0]]
    together = tuned(network, images(), rows, replace(QUICK, side_by_side=3))
    assert torch.equal(tuned(network, images(), rows, replace(QUICK, side_by_side=3)), together)
    for count in (1, 2):
        one = tuned(network, images(), rows, replace(QUICK, side_by_side=count))
        torch.testing.assert_close(one, together, atol=1e-5, rtol=1e-4)
    for place in range(3):
        alone = tuned(network, images()[place : place + 1], rows[place : place + 1], QUICK)
        torch.testing.assert_close(alone[0], together[place], atol=1e-5, rtol=1e-4)


def test_guesses_are_fine_tuned_for_one_by_one(network: Network) -> None:
    """Two guesses, then the image's own classes 2 and 1: a guess's map is that of it alone."""
    found = tuned(network, images(2), [[0, 2, 2, 1], [3, 0, 3, 3]], QUICK, guesses=2)
    for place, index in ((0, 0), (1, 2)):
        alone = tuned(network, images(1), [[index]], QUICK)
        torch.testing.assert_close(found[0, place], alone[0, 0], atol=1e-5, rtol=1e-4)
    own = tuned(network, images(1), [[2, 1]], QUICK)
    torch.testing.assert_close(found[0, 2:], own[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[0, 1], found[0, 2], atol=1e-3)
    assert torch.equal(found[1, 0], found[1, 2])  # what is asked for twice is computed once


def test_guesses_may_share_the_fine_tuning_for_the_own_classes(network: Network) -> None:
    """Their logits are not raised and their maps do not end it; without own classes each has one of its own."""
    settings = replace(QUICK, stop_share=0.4, steps=5)
    row = [0, 2, 3, 2, 1, 2]  # guesses 0, 2 and 3; own classes 2 and 1
    found = tuned(network, images(2), [row, [1, 0, 3, 3, 3, 3]], settings, guesses=3, alone=False)
    own = tuned(network, images(1), [[2, 1]], settings)
    for place, column in ((1, 0), (3, 0), (4, 1), (5, 0)):
        torch.testing.assert_close(found[0, place], own[0, column], atol=1e-5, rtol=1e-4)
    steps = rib_literal.fine_tuned_map(network, images(1)[0], [2, 1], settings)[1]
    assert steps < 6
    only = tuned(network, images(1), [[0, 2]], settings, guesses=2, alone=False)
    torch.testing.assert_close(
        only, tuned(network, images(1), [[0, 2]], settings, guesses=2), atol=1e-5, rtol=1e-4
    )


def test_a_guess_that_has_spread_does_not_end_the_fine_tuning_for_the_own_classes(network: Network) -> None:
    # After a step for class 2 its own map is above the level in 3 % of all places, that of class 0 in 6 %.
    settings = replace(QUICK, stop_share=0.045, stop_level=0.9)
    assert rib_literal.fine_tuned_map(network, images(1)[0], [2], settings)[1] > 2
    found = tuned(network, images(1), [[0, 2]], settings, guesses=1, alone=False)
    torch.testing.assert_close(found[:, 1:], tuned(network, images(1), [[2]], settings), atol=1e-5, rtol=1e-4)


def test_a_choice_says_what_is_a_guess(network: Network) -> None:
    views = Views(fine_tuning=QUICK)
    explained = explain(
        *(network, images(1), ["rib", "cam"], Choice(2, [[2, 1]])), task="multi-label", views=views
    )["rib"]
    index = explained.class_index
    assert index[0, 2:].tolist() == [2, 1]
    expected = tuned(network, images(1), index.tolist(), QUICK, guesses=2)
    torch.testing.assert_close(explained.maps, expected)


# Other images


class Pool(OtherImages):
    """Two given images and their classes, for whatever key."""

    def __init__(self, pixels: npt.NDArray[np.uint8], labels: list[tuple[int, ...]]) -> None:
        self.preprocessing = Preprocessing(image_size=pixels.shape[1])
        self.pixels, self.labels = pixels, labels
        self.asked: list[tuple[int, tuple[int, ...], int]] = []

    def draw(
        self, key: int, class_indices: Collection[int], count: int
    ) -> tuple[npt.NDArray[np.uint8], list[tuple[int, ...]]]:
        """Always the same."""
        self.asked.append((key, tuple(class_indices), count))
        turn = key % 2
        return np.roll(self.pixels, turn, axis=0), self.labels[turn:] + self.labels[:turn]


def test_other_images_join_each_step(network: Network) -> None:
    """With labels of their own, of different numbers; each image has its draw, whatever runs beside it."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    pool = Pool(pixels, [(0, 1), (0,)])
    settings = replace(QUICK, pool=pool, others=2, side_by_side=2)
    found = tuned(network, images(2), [[3], [2]], settings, keys=[7, 8])
    assert pool.asked == [(7, (3,), 2), (8, (2,), 2)]
    inputs = pool.preprocessing.normalized(torch.from_numpy(pixels))
    others = list(zip(inputs, pool.labels, strict=True))
    plain = tuned(network, images(2), [[3], [2]], QUICK)
    for place, index in ((0, 3), (1, 2)):
        expected, steps, _ = rib_literal.fine_tuned_map(network, images(2)[place], [index], settings, others)
        assert steps == 4
        torch.testing.assert_close(found[place], expected, atol=2e-5, rtol=1e-4)
        assert not torch.allclose(found[place], plain[place], atol=1e-3)
    none = tuned(network, images(2), [[3], [2]], replace(settings, others=0))
    torch.testing.assert_close(none, plain, atol=1e-5, rtol=1e-4)


# Stopping


def logits_of(network: Network, image: Tensor, row: list[int]) -> float:
    with torch.no_grad():
        return sum(
            float(rib_literal.pooled(network, view, index, QUICK.tau))
            for view, _ in rib_literal.views_of(image, QUICK)
            for index in row
        )


def test_the_logits_of_other_images_end_nothing(network: Network) -> None:
    """The limit lies between the image's own logits and those of all together."""
    pixels = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), np.uint8)
    pool = Pool(pixels, [(0, 1), (0,)])
    others = list(zip(pool.preprocessing.normalized(torch.from_numpy(pixels)), pool.labels, strict=True))
    with torch.no_grad():
        added = sum(
            float(rib_literal.pooled(network, other, index, QUICK.tau))
            for other, row in others
            for index in row
        )
    limit = logits_of(network, images(1)[0], [3]) + added / 2
    settings = replace(QUICK, pool=pool, others=2, stop_logit=limit)
    expected, steps, _ = rib_literal.fine_tuned_map(network, images(1)[0], [3], settings, others)
    assert (steps > 1) == (added > 0)
    found = tuned(network, images(1), [[3]], settings, keys=[0])
    torch.testing.assert_close(found[0], expected, atol=2e-5, rtol=1e-4)


def test_high_logits_end_one_fine_tuning_and_leave_the_others(network: Network) -> None:
    """The limit is such that one of the three is done at once, after its first map."""
    rows = [[0, 2], [3, 1], [1, 0]]
    logits = [logits_of(network, image, row) for image, row in zip(images(), rows, strict=True)]
    first = max(range(3), key=logits.__getitem__)
    second = sorted(logits)[1]
    settings = replace(QUICK, stop_logit=(logits[first] + second) / 2, side_by_side=3)
    found = tuned(network, images(), rows, settings)
    counts = []
    for image, row, maps in zip(images(), rows, found, strict=True):
        expected, steps, _ = rib_literal.fine_tuned_map(network, image, row, settings)
        torch.testing.assert_close(maps, expected, atol=2e-5, rtol=1e-4)
        counts.append(steps)
    assert counts[first] == 1
    assert max(counts) > 1
    torch.testing.assert_close(found[first], tuned(network, images(), rows, replace(QUICK, steps=0))[first])


@pytest.mark.parametrize(
    ("share", "level", "counts"),
    [(0.0, 0.3, [2, 2, 2]), (0.15, 0.85, [2, 2, 4])],  # of steps 0 and 1, or of all
    ids=["all", "the first two"],
)
def test_maps_that_have_spread_end_it_from_the_second_step_on(
    network: Network, share: float, level: float, counts: list[int]
) -> None:
    rows = [[0, 2], [3, 1], [1, 0]]
    settings = replace(QUICK, stop_share=share, stop_level=level, side_by_side=3)
    found = tuned(network, images(), rows, settings)
    for image, row, maps, count in zip(images(), rows, found, counts, strict=True):
        expected, steps, _ = rib_literal.fine_tuned_map(network, image, row, settings)
        assert steps == count
        torch.testing.assert_close(maps, expected, atol=2e-5, rtol=1e-4)


# The network is left as it was


def state_of(network: Network) -> dict[str, Any]:
    model = network.model
    return {
        "values": {name: value.clone() for name, value in model.state_dict().items()},
        "identities": [id(value) for value in (*model.parameters(), *model.buffers())],
        "learns": [parameter.requires_grad for parameter in model.parameters()],
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "modes": [module.training for module in network.modules()],
    }


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for key in ("identities", "learns", "modes"):
        assert one[key] == other[key]
    for name, value in one["values"].items():
        assert torch.equal(value, other["values"][name]), name
    for left, right in zip(one["gradients"], other["gradients"], strict=True):
        assert (left is None and right is None) or torch.equal(left, right)


@pytest.fixture
def odd(network: Network) -> Network:
    """Some parameters frozen, some with gradients, one layer in another mode."""
    own = deepcopy(network)
    for number, parameter in enumerate(own.parameters()):
        parameter.requires_grad_(number % 3 != 0)
        parameter.grad = torch.full_like(parameter, number) if number % 2 else None
    own.model.get_submodule("layer2").training = True
    return own


def test_the_network_is_untouched(odd: Network) -> None:
    before = state_of(odd)
    tuned(odd, images(), [[0], [1], [2]], QUICK)
    assert_same(state_of(odd), before)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["forward", "update"])
def test_the_network_is_untouched_when_something_rises(
    monkeypatch: pytest.MonkeyPatch, odd: Network, error: type[BaseException], where: str
) -> None:
    """In the middle of a pass, when other weights stand in the model's layers, or of an update."""
    before, calls = state_of(odd), []

    def strike(*_arguments: object, **_options: object) -> None:
        calls.append(where)
        if len(calls) == 5:
            raise error

    if where == "update":
        monkeypatch.setattr(Tensor, "sub_", strike)
    else:
        odd.model.get_submodule("layer3.1.conv1").register_forward_pre_hook(strike)
    with pytest.raises(error):
        tuned(odd, images(), [[0], [1], [2]], QUICK)
    assert_same(state_of(odd), before)


# What is refused


def test_networks_that_cannot_be_fine_tuned_are_refused(network: Network) -> None:
    require_map("rib", network)
    with pytest.raises(UnsupportedError, match=r"by hand.*its last two stages is not known.*use --map cam"):
        require_map("rib", linear_network(torch.randn(3, 4)))
    for backbone, words in (("vgg11", "no pooled linear head"), ("densenet121", "its last two stages")):
        with pytest.raises(UnsupportedError, match=words):
            require_map("rib", METHODS["gap"].build(backbone, 3))
    with pytest.raises(UnsupportedError, match="BEW layers, whose weights RIB does not"):
        require_map("rib", METHODS["bew"].build("small_resnet", 3))
    with pytest.raises(UnsupportedError, match=r"no pooled linear|--map stochastic"):
        require_map("rib", METHODS["ficklenet"].build("small_resnet", 3))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("steps", -1, "steps is a whole number from 0"),
        ("steps", 2.5, "steps is a whole number"),
        ("learning_rate", -1e-3, "learning_rate is a number from 0"),
        ("classifier_learning_rate", float("inf"), "classifier_learning_rate is a number"),
        ("weight_decay", "much", "weight_decay is a number"),
        ("tau", 1.5, "tau is a share in 0-1"),
        ("stop_share", float("nan"), "stop_share is a share"),
        ("stop_logit", float("nan"), "stop_logit is a number"),
        ("sum", "mean", "sum is normalized or raw"),
        ("side_by_side", -2, "side_by_side is a whole number"),
    ],
)
def test_options_out_of_their_range_are_refused(option: str, value: object, words: str) -> None:
    assert option in {field.name for field in fields(FineTuning)}
    with pytest.raises(UnsupportedError, match=f"RIB's {words}"):
        FineTuning(**{option: value})  # type: ignore[arg-type]  # what is tested


def test_the_authors_numbers_are_the_defaults() -> None:
    own = FineTuning()
    assert (own.steps, own.learning_rate, own.classifier_learning_rate) == (10, 8e-6, 8e-5)
    assert (own.weight_decay, own.power, own.tau, own.stop_logit) == (1e-4, 0.9, 0.4, 600)
    assert (own.stop_share, own.stop_level, own.others, own.pool) == (0.7, 0.3, 20, None)
    assert own.learning_rates(0) == (8e-6, 8e-5)
    assert own.learning_rates(5) == pytest.approx((8e-6 * 0.5**0.9, 8e-5 * 0.5**0.9))
    assert rib.SUMS[0] == own.sum
