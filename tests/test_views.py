"""Views of a batch, and maps of one view as the methods give them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.methods.example_networks import fickle_network, linear_network, random_network
from wsloc.methods import MAPS
from wsloc.methods.rib import FineTuning
from wsloc.networks.map_operations import normalize_by_max, upsample
from wsloc.networks.network import Observation
from wsloc.running.stages import FINE_TUNING, Stages
from wsloc.views import Explanation, Views, explain, pooled


def test_views_are_scales_and_their_mirror_images() -> None:
    views = Views(scales=(1.0, 1.5, 0.1), flip=True)
    inputs = torch.rand(2, 3, 8, 12)
    seen = list(views.of(inputs, smallest=4))
    assert len(seen) == len(views) == 6
    assert [tuple(view.shape[2:]) for view, _ in seen] == [
        (8, 12),
        (8, 12),
        (12, 18),
        (12, 18),
        (4, 4),
        (4, 4),
    ]
    assert [mirrored for _, mirrored in seen] == [False, True] * 3
    assert seen[0][0] is inputs
    for straight, turned in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(turned[0], straight[0].flip(3))


def test_rib_has_views_of_its_own() -> None:
    """Nothing that other maps are averaged over reaches it, nor the other way round."""
    own = FineTuning(steps=1, scales=(1.5, 1.0))
    network, inputs = random_network("small_resnet", 4), torch.randn(1, 3, 16, 24)
    chosen = torch.tensor([[0, 3]])

    def seen(maps: list[str], views: Views) -> dict[str, Explanation]:
        return explain(network, inputs, maps, lambda _: chosen, task="multi-label", views=views)

    both = seen(["rib", "cam"], Views((0.5,), flip=False, fine_tuning=own))
    assert list(both) == ["cam", "rib"]
    alone = seen(["rib"], Views(fine_tuning=own))["rib"]
    assert torch.equal(both["rib"].maps, alone.maps)
    assert torch.equal(both["cam"].maps, seen(["cam"], Views((0.5,)))["cam"].maps)
    larger = F.interpolate(inputs, size=(24, 36), mode="bilinear", align_corners=False)
    torch.testing.assert_close(alone.chosen, network(larger).sigmoid()[:, [0, 3]])
    assert alone.maps.shape == (1, 2, 16, 24)


def test_fine_tuning_has_a_stage_of_its_own() -> None:
    """It takes nearly all of the time of such a run, and a profile must say so."""
    stages, chosen = Stages(), torch.tensor([[0, 3]])
    network, inputs = random_network("small_resnet", 4), torch.randn(1, 3, 16, 16)
    views = Views(fine_tuning=FineTuning(steps=1, scales=(1.0,)))
    explain(network, inputs, ["rib"], lambda _: chosen, task="multi-label", views=views, stages=stages)
    assert list(stages.seconds()) == [FINE_TUNING]
    assert stages.seconds()[FINE_TUNING] > 0


def test_draws_are_keyed_by_image_scale_and_mirror_image() -> None:
    torch.manual_seed(0)
    network = fickle_network(torch.randn(5, 3, 3, 3), torch.randn(5))
    inputs, chosen = torch.rand(2, 3, 6, 5), torch.tensor([[0, 3], [2, 1]])
    views = Views(scales=(1.0, 1.5), flip=True)
    assert views.draw_keys == ((1_000_000, 0), (1_000_000, 1), (1_500_000, 0), (1_500_000, 1))

    def seen(rows: slice, views: Views, keys: list[int], draws: int = 0) -> Explanation:
        explained = explain(
            *(network, inputs[rows], ["stochastic"], lambda _: chosen[rows]),
            task="multi-label",
            views=views,
            keys=keys,
            show_draws=draws,
        )
        return explained["stochastic"]

    both = seen(slice(0, 2), views, [5, 6])
    torch.testing.assert_close(seen(slice(1, 2), views, [6]).maps, both.maps[1:])
    assert not torch.allclose(seen(slice(0, 2), views, [5, 7]).maps[1], both.maps[1])
    assert both.draws is None
    shown = seen(slice(0, 2), Views(), [5, 6], 4).draws
    assert shown is not None
    assert shown.shape == (2, 2, 4, 6, 5)
    found = seen(slice(0, 2), views, [5, 6], 4).draws  # of the first view
    assert found is not None
    torch.testing.assert_close(found, shown)


def test_one_view_is_the_methods_own_map() -> None:
    torch.manual_seed(0)
    network = linear_network(torch.randn(5, 3), torch.randn(5))
    inputs = torch.rand(2, 3, 4, 6)
    chosen = torch.tensor([[0, 3], [2, 1]])
    found = explain(
        network,
        inputs,
        ["cam", "entropy-class"],
        lambda _: chosen,
        task="single-label",
        views=Views(),
        normalization="none",
    )
    observation = network.observe(inputs, differentiable=False)
    torch.testing.assert_close(found["cam"].maps, MAPS["cam"].activation_map(network, observation, chosen))
    torch.testing.assert_close(found["cam"].chosen, observation.logits.softmax(dim=1).gather(1, chosen))
    under, own = pooled(network, observation)
    expected = MAPS["entropy-class"].activation_map(under, own, chosen)
    torch.testing.assert_close(found["entropy-class"].maps, expected)
    torch.testing.assert_close(
        found["entropy-class"].chosen, own.logits.softmax(dim=1).gather(1, chosen)
    )  # the probabilities of Entropy Pooling
    assert not torch.allclose(own.logits, observation.logits)


def test_scales_are_averaged_and_the_first_one_names_the_classes() -> None:
    torch.manual_seed(0)
    network = linear_network(torch.randn(5, 3), torch.randn(5))
    inputs, chosen = torch.rand(2, 3, 32, 40), torch.tensor([[0, 3], [2, 1]])
    larger = F.interpolate(inputs, size=(64, 80), mode="bilinear", align_corners=False)
    found = explain(
        network, inputs, ["cam"], lambda _: chosen, task="single-label", views=Views(scales=(1.0, 2.0))
    )["cam"]
    first, second = (
        normalize_by_max(
            MAPS["cam"].activation_map(network, network.observe(view, differentiable=False), chosen)
        )
        for view in (inputs, larger)
    )
    torch.testing.assert_close(found.maps, normalize_by_max(first + upsample(second, (32, 40))))
    assert not torch.allclose(found.maps, first, atol=0.01)
    torch.testing.assert_close(found.chosen, network(inputs).softmax(dim=1).gather(1, chosen))


def test_a_network_with_a_pooling_of_its_own_is_not_pooled_again() -> None:
    network = linear_network(torch.randn(5, 3))
    observation = Observation(torch.rand(1, 3, 2, 2), torch.rand(1, 5))
    once, _ = pooled(network, observation)
    assert pooled(once, observation) == (once, observation)
