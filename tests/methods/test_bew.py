"""BEW layers compute the paper's section 3.3, stand at its places, and leave nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import torch
from torch import Tensor, nn

from tests.reference.branched_weighting_literal import BranchWeights, branched_weighting
from wsloc.errors import UnsupportedError
from wsloc.methods import MAPS, bew, ep
from wsloc.methods.bew import BranchedEntropyWeighting, BranchedNetwork
from wsloc.methods.ep import EntropyPooling
from wsloc.networks.backbones import build_backbone
from wsloc.networks.network import evaluating
from wsloc.networks.tasks import SINGLE_LABEL, TASKS, LabelledBatch, classification_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

CHANNELS, CLASSES = 6, 4
PLACES = [
    ("small_resnet", "layer3", "layer3.1", (48, 96, 160)),
    ("resnet18", "layer3", "layer4.1", (128, 512)),
    ("resnet50", "layer3", "layer4.2", (512, 2048)),
    ("inception_v3", "Mixed_6a", "Mixed_7c", (288, 2048)),
    ("vgg16", "features.23", "features.30", (512, 512)),
    ("vgg16_gap", "features.23", "conv6", (512, 512)),
]


def layer(batch_norm: bool = False, **options: bool | float) -> BranchedEntropyWeighting:
    torch.manual_seed(3)
    found = BranchedEntropyWeighting(
        CHANNELS,
        CLASSES,
        batch_norm=batch_norm,
        pooling=EntropyPooling(**options),  # type: ignore[arg-type]
    )
    with torch.no_grad():
        found.classify.weight.mul_(3)  # entropies that differ
    return found


def literal_weights(own: BranchedEntropyWeighting) -> BranchWeights:
    bias = cast("Tensor", own.reduce.bias)
    return BranchWeights(
        *(
            value.detach().double().requires_grad_()
            for value in (
                own.reduce.weight.flatten(1),
                bias,
                own.classify.weight.flatten(1),
                cast("Tensor", own.classify.bias),
            )
        )
    )


def features(images: int = 2) -> Tensor:
    return torch.randn(images, CHANNELS, 3, 4, generator=torch.Generator().manual_seed(5)).relu()


def branched(name: str = "small_resnet", options: Mapping[str, object] | None = None) -> BranchedNetwork:
    torch.manual_seed(0)
    network = bew.build(name, CLASSES, options)
    assert isinstance(network, BranchedNetwork)
    return network


def pictures(size: int = 32) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(7))


# One layer against the equations


def test_it_computes_section_3_3() -> None:
    own, given = layer(), features()
    weighed, branch = own(given)
    for number, image in enumerate(given):
        expected, logits, coefficients = branched_weighting(image.double(), literal_weights(own))
        assert coefficients.std() > 0.01
        torch.testing.assert_close(weighed[number].double(), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(branch.logits[number].double(), logits, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(branch.entropy_weight[number].double(), coefficients, rtol=1e-5, atol=1e-5)


def test_its_gradients_are_those_of_the_equations() -> None:
    own, given = layer(), features(1).requires_grad_()
    aim = torch.randn(CHANNELS, 3, 4, generator=torch.Generator().manual_seed(1))
    weighed, branch = own(given)
    ((weighed[0] * aim).sum() + branch.logits[0].square().sum()).backward()

    exact, weights = given.detach()[0].double().requires_grad_(), literal_weights(own)
    expected, logits, _ = branched_weighting(exact, weights)
    ((expected * aim.double()).sum() + logits.square().sum()).backward()  # type: ignore[no-untyped-call]  # torch has no type for it
    pairs = [
        (given.grad, exact.grad),
        (own.reduce.weight.grad, weights.reduce.grad),
        (cast("Tensor", own.reduce.bias).grad, weights.reduce_bias.grad),
        (own.classify.weight.grad, weights.classify.grad),
        (cast("Tensor", own.classify.bias).grad, weights.classify_bias.grad),
    ]
    for found, literal in pairs:
        assert found is not None
        assert literal is not None
        assert literal.abs().max() > 1e-3
        torch.testing.assert_close(found.double().reshape(literal.shape), literal, rtol=1e-4, atol=1e-5)


def test_its_gradients_agree_with_finite_differences() -> None:
    """Of the literal form, in float64: through lambda, too."""
    own = layer()
    given, weights = features(1)[0].double().requires_grad_(), literal_weights(own)

    def value(point: Tensor) -> Tensor:
        weighed, logits, _ = branched_weighting(point, weights)
        return weighed.square().sum() + logits.square().sum()

    (slope,) = torch.autograd.grad(value(given), given)
    generator, step = torch.Generator().manual_seed(2), 1e-6
    for _ in range(5):
        direction = torch.randn(given.shape, generator=generator, dtype=torch.float64)
        direction = direction * (given > 0)  # away from the kink at 0
        with torch.no_grad():
            rise = (value(given + step * direction) - value(given - step * direction)) / (2 * step)
        assert float(rise) == pytest.approx(float((slope * direction).sum()), rel=1e-5)


def test_detached_weights_get_no_gradient_through_lambda() -> None:
    own, given = layer(detach_weights=True), features(1).requires_grad_()
    weighed, _ = own(given)
    weighed.sum().backward()
    assert own.reduce.weight.grad is None  # the features alone were reached
    assert given.grad is not None
    assert given.grad.any()


def test_a_share_of_lambda_is_phased_in() -> None:
    own, given = layer(), features()
    whole, branch = own(given)
    torch.testing.assert_close(own(given, 0.0)[0], given)
    torch.testing.assert_close(own(given, 0.25)[0], 0.75 * given + 0.25 * whole)
    assert torch.equal(own(given, 0.25)[1].entropy_weight, branch.entropy_weight)


def test_a_constant_feature_map_is_left_as_it_is() -> None:
    own = layer()
    given = torch.ones(2, CHANNELS, 3, 3)
    weighed, branch = own(given)
    assert torch.equal(branch.entropy_weight, torch.ones(2, 3, 3))
    assert torch.equal(weighed, given)


def test_coarse_features_keep_their_type() -> None:
    weighed, branch = layer().bfloat16()(features().bfloat16())
    assert weighed.dtype is torch.bfloat16
    assert branch.entropy_weight.dtype is torch.float32
    assert 0 <= branch.entropy_weight.min() <= branch.entropy_weight.max() <= 1


# In a network


@pytest.mark.parametrize(("name", "first", "second", "channels"), PLACES, ids=[row[0] for row in PLACES])
def test_the_layers_stand_where_the_paper_puts_them(
    name: str, first: str, second: str, channels: tuple[int, ...]
) -> None:
    network = branched(name)
    layers = dict(network.model.named_modules())
    assert network._places == (layers[first], layers[second])
    assert [own.reduce.in_channels for own in network.layers] == list(channels[-2:])
    assert [own.reduce.out_channels for own in network.layers] == [count // 2 for count in channels[-2:]]
    normed = any(isinstance(module, nn.BatchNorm2d) for module in build_backbone(name).modules())
    assert all(isinstance(own.norm, nn.BatchNorm2d) is normed for own in network.layers)
    assert (network.pooling is not None) is network.has_linear_head


def test_one_layer_is_the_deeper_one() -> None:
    network = branched(options={"layers": 1})
    assert network.branches == 1
    assert network._places == (cast("nn.Sequential", network.model.layer3)[-1],)


@pytest.mark.parametrize("name", ["small_resnet", "vgg16"])
def test_features_are_weighed_at_the_places_and_no_hook_stays(name: str) -> None:
    network = branched(name).eval()
    seen: list[Tensor] = []
    with network.branching() as branches:
        handles = [
            place.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
            for place in network._places
        ]
        network.head(network.features(pictures()))
        for handle in handles:
            handle.remove()
    assert len(branches) == len(seen) == 2
    for branch, weighed in zip(branches, seen, strict=True):
        assert weighed.shape[2:] == branch.entropy_weight.shape[1:]
        dark = branch.entropy_weight == 0  # the cell of the highest entropy: its features are erased
        assert dark.any()
        assert not weighed.permute(0, 2, 3, 1)[dark].any()
    assert not any(module._forward_pre_hooks for module in network.modules())
    with pytest.raises(ZeroDivisionError), network.branching():
        raise ZeroDivisionError
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_a_pass_and_an_observation_are_weighed_alike() -> None:
    network = branched().eval()
    with torch.no_grad():
        logits = network(pictures())
    observation = network.observe(pictures(), differentiable=False)
    torch.testing.assert_close(observation.logits, logits)
    assert [tuple(weight.shape) for weight in observation.branch_weights] == [(2, 8, 8), (2, 4, 4)]
    with torch.no_grad():
        plain = network.head(network.features(pictures()))  # outside `branching`
    assert not torch.allclose(plain, logits)


def test_places_that_the_paper_does_not_name_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"mobilenet_v2 .* has no places for BEW layers"):
        bew.build("mobilenet_v2", CLASSES)
    for layers in (0, 3):
        with pytest.raises(UnsupportedError, match=f"1 or 2 BEW layers, not {layers}"):
            bew.build("small_resnet", CLASSES, {"layers": layers})
    with pytest.raises(UnsupportedError, match="unknown option 'colour'"):
        bew.build("small_resnet", CLASSES, {"colour": 1})


# Training and maps


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["small_resnet", "vgg16"])
def test_the_loss_is_the_sum_of_the_networks_and_the_branches(name: str, task: str) -> None:
    network = branched(name)
    targets = torch.eye(CLASSES)[:2]
    with evaluating(network):  # dropout draws
        value, logits, log = bew.loss(network, LabelledBatch(pictures(), targets, task))
        with network.branching() as branches:
            expected = network.head(network.features(pictures()))
    torch.testing.assert_close(logits, expected)
    parts = [logits, *(branch.logits for branch in branches)]
    torch.testing.assert_close(value, sum(classification_loss(part, targets, task) for part in parts))
    assert {"network_loss", "bew1_loss", "bew2_loss", "bew1_lambda", "bew2_lambda"} <= set(log)
    torch.testing.assert_close(log["bew2_loss"], classification_loss(branches[1].logits, targets, task))
    value.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
    assert all(own.reduce.weight.grad is not None for own in network.layers)


def test_the_ramp_begins_with_the_network_as_it_was() -> None:
    network = branched(options={"ramp": 0.5}).train()
    plain = ep.with_entropy_pooling(build_backbone("small_resnet", CLASSES))
    plain.model.load_state_dict(network.model.state_dict(), strict=False)
    batch = LabelledBatch(pictures(), torch.eye(CLASSES)[:2], SINGLE_LABEL, progress=0.0)
    _, logits, _ = bew.loss(network, batch)
    expected = plain.model.train()(pictures())  # plain average pooling, no branches
    torch.testing.assert_close(logits, expected)
    with evaluating(network):  # validation is of the whole lambda
        _, logits, _ = bew.loss(network, batch)
        torch.testing.assert_close(logits, network(pictures()))


def test_the_branches_are_shown_as_maps() -> None:
    network = branched().eval()
    observation = network.observe(pictures(), differentiable=False)
    some = torch.zeros(2, 1, dtype=torch.int64)
    for number in (1, 2):
        found = MAPS[f"entropy-bew{number}"].activation_map(network, observation, some)
        assert torch.equal(found, observation.branch_weights[number - 1].unsqueeze(1))


def test_the_layers_are_part_of_the_models_weights() -> None:
    network, other = branched(), branched()
    assert {key for key in network.model.state_dict() if key.startswith("bew.0.")} == {
        f"bew.0.{key}" for key in network.layers[0].state_dict()
    }
    with torch.no_grad():
        network.layers[1].classify.weight.add_(1)
    other.model.load_state_dict(network.model.state_dict())
    assert torch.equal(other.layers[1].classify.weight, network.layers[1].classify.weight)
