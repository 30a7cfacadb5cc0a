"""GAIN: its attention, its losses, and the gradient through the mask that it stands on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.reference import gain_literal as literal
from wsloc.errors import UnsupportedError
from wsloc.methods import cam
from wsloc.methods.gain import (
    DEFAULTS,
    MINING_SCORES,
    GainNetwork,
    Guidance,
    activation_map,
    attention,
    build,
    extra_losses,
    loss,
    mining_loss,
)
from wsloc.networks.soft_masks import FILLS
from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL, ExtraBatch, LabelledBatch, classification_loss

CLASSES, SIZE = 4, 48


def network(dtype: torch.dtype = torch.float32, **options: bool | float | str) -> GainNetwork:
    """A small network whose batch norm and classifier are no longer as they were initialised."""
    torch.manual_seed(0)
    found = build("small_resnet", CLASSES, options).to(dtype)
    found.train()
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
    with torch.no_grad():
        found(torch.randn(8, 3, SIZE, SIZE, dtype=dtype))
        nn.init.normal_(found.linear()[0], std=0.5)
    return found


def batch(images: int = 3, task: str = MULTI_LABEL, dtype: torch.dtype = torch.float32) -> LabelledBatch:
    """The first image has two labels where there may be several, the others one."""
    torch.manual_seed(1)
    targets = torch.eye(CLASSES)[torch.arange(images) % CLASSES]
    if task == MULTI_LABEL:
        targets[0, 2] = 1
    return LabelledBatch(torch.randn(images, 3, SIZE, SIZE, dtype=dtype), targets, task)


def extra(images: int = 2, *, is_box: bool = False) -> ExtraBatch:
    torch.manual_seed(2)
    regions = torch.zeros(images, 2, SIZE, SIZE, dtype=torch.uint8)
    regions[:, 0, 8:32, 16:40] = 1
    regions[:, 0, :8] = 255
    regions[:, 0, 40:] = 1
    regions[:, 1, 24:, :24] = 1
    return ExtraBatch(
        images=torch.randn(images, 3, SIZE, SIZE),
        class_index=torch.tensor([[0, 1]] * (images - 1) + [[3, -1]]),
        regions=regions,
        is_box=torch.full((images,), is_box),
        saliency=torch.ones(images, SIZE, SIZE),
    )


def mining(
    net: GainNetwork, given: LabelledBatch, *, detach: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """L_am alone, with everything it stands on."""
    present = given.targets > 0
    class_index = torch.arange(CLASSES).expand(len(present), -1)
    feature_map, logits = net.attended(given.images)
    maps = attention(feature_map, logits, class_index)
    return mining_loss(net, given, maps.detach() if detach else maps, class_index, present)


def gradients(value: Tensor, net: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(value, list(net.parameters()), allow_unused=True)
    return [torch.zeros(()) if gradient is None else gradient for gradient in found]  # type: ignore[redundant-expr]  # torch's stub misses None


# --- attention


def test_attention_is_grad_cam_after_its_relu() -> None:
    net, given = network().eval(), batch()
    class_index = torch.tensor([[0, 2], [1, 3], [2, 0]])
    feature_map, logits = net.attended(given.images)
    found = attention(feature_map, logits, class_index)
    expected = cam.grad_cam(net, net.observe(given.images, differentiable=True), class_index)
    torch.testing.assert_close(found.detach(), expected.relu())
    shown = activation_map(net, net.observe(given.images, differentiable=True), class_index)
    torch.testing.assert_close(shown, expected)


@pytest.mark.parametrize(
    "backbone", ["small_resnet", "resnet18", "vgg11", "mobilenet_v3_small", "convnext_tiny"]
)
def test_any_backbone_can_be_attended_to(backbone: str) -> None:
    net = build(backbone, CLASSES).train()
    given = replace(batch(2), images=torch.randn(2, 3, 64, 64))
    value, logits, logs = loss(net, given)
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.shape == (2, CLASSES)
    assert value.isfinite()
    assert logs["L_am"] > 0


def test_any_layer_can_be_attended_to() -> None:
    net, given = network(layer="layer2").eval(), batch()
    feature_map, logits = net.attended(given.images)
    assert feature_map.shape == (3, 96, 12, 12)
    torch.testing.assert_close(logits, net(given.images))
    assert not any(module._forward_hooks for module in net.modules())
    # By hand: features from the layers below, logits from those above.
    class_index = torch.tensor([[1]] * 3)
    model: Any = net.model
    below = model.layer2(model.layer1(model.bn1(model.conv1(given.images)).relu()))
    score = model.head(model.layer3(below))[:, 1].sum()
    (gradient,) = torch.autograd.grad(score, below, retain_graph=True)
    expected = (gradient.mean(dim=(2, 3), keepdim=True) * below).sum(dim=1, keepdim=True).relu()
    torch.testing.assert_close(attention(feature_map, logits, class_index), expected)
    value, _, _ = loss(net.train(), given)
    value.backward()  # type: ignore[no-untyped-call]


def test_a_layer_that_the_next_one_overwrites_is_seen_as_it_was() -> None:
    net = build("vgg11", CLASSES, {"layer": "features.18"}).eval()  # a convolution before a ReLU in place
    feature_map, _ = net.attended(torch.randn(1, 3, 64, 64))
    assert feature_map.min() < 0
    value, _, _ = loss(net, replace(batch(1), images=torch.randn(1, 3, 64, 64)))
    value.backward()  # type: ignore[no-untyped-call]


def test_layers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="no layer 'layer9'"):
        build("small_resnet", CLASSES, {"layer": "layer9"})
    with pytest.raises(UnsupportedError, match="gives no feature map"):
        loss(network(layer="fc"), batch())


# --- the gradient through the mask


def test_mining_is_the_papers_on_multi_label_images() -> None:
    net, given = network().eval(), batch()
    torch.testing.assert_close(mining(net, given)[0], literal.mining(net, given.images, given.targets))


def test_the_gradients_are_those_of_the_literal_form() -> None:
    net, given = network(dtype=torch.float64).eval(), batch(dtype=torch.float64)
    own = gradients(mining(net, given)[0], net)
    expected = gradients(literal.mining(net, given.images, given.targets), net)
    for one, other in zip(own, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)  # attention is float32


def test_with_a_frozen_stream_the_mask_alone_teaches_the_trunk() -> None:
    net, given = network().eval(), batch()
    value, logged = mining(net, given)
    assert max(float(gradient.abs().max()) for gradient in gradients(value, net)) > 0
    detached, _ = mining(net, given, detach=True)
    assert not detached.requires_grad  # nothing is left that could be learnt from
    assert logged["mask_gradient"] > 0


def test_the_gradient_through_the_mask_agrees_with_finite_differences() -> None:
    """Of a frozen second pass and constant weights and maxima: they are held at the point of the gradient."""
    net, given = network(dtype=torch.float64).eval(), batch(1, dtype=torch.float64)
    feature_map, logits = net.attended(given.images)
    index = int(attention(feature_map, logits, torch.arange(CLASSES)[None]).amax(dim=(2, 3)).argmax())
    class_index, present = torch.tensor([[index]]), torch.tensor([[True]])
    (slopes,) = torch.autograd.grad(logits[0, index], feature_map, retain_graph=True)
    weights = slopes[0].mean(dim=(1, 2))  # w (K,) of the one image and class
    highest = (weights[None, :, None, None] * feature_map).sum(1).relu().max().detach()
    second = build("small_resnet", CLASSES).double().eval()
    second.load_state_dict(net.state_dict())

    def value(model: GainNetwork) -> Tensor:
        cells = (weights[None, :, None, None] * model.features(given.images)).sum(1, keepdim=True).relu()
        mask = torch.sigmoid(
            10 * (nn.functional.interpolate(cells / highest, size=(SIZE, SIZE), mode="bilinear") - 0.5)
        )
        return torch.sigmoid(second(given.images * (1 - mask))[0, index])

    parameter = net.model.layer1[0].conv1.weight  # type: ignore[index,union-attr]
    maps = attention(feature_map, logits, class_index)
    found, _ = mining_loss(net, given, maps, class_index, present)
    (own,) = torch.autograd.grad(found, parameter)
    step = 1e-4
    for place in own.abs().flatten().topk(3).indices.tolist():
        flat = parameter.view(-1)
        with torch.no_grad():
            flat[place] += step
            above = value(net)
            flat[place] -= 2 * step
            below = value(net)
            flat[place] += step
        difference = float((above - below) / (2 * step))
        assert float(own.flatten()[place]) == pytest.approx(difference, rel=0.02)
        assert difference != 0


def test_a_shared_stream_is_learnt_from_even_if_the_mask_is_constant() -> None:
    net, given = network(freeze_mining_stream=False).eval(), batch()
    value, _ = mining(net, given, detach=True)
    assert max(float(gradient.abs().max()) for gradient in gradients(value, net)) > 0


def test_second_order_reaches_the_classifier_through_the_channel_weights() -> None:
    """In first order L_am reaches no classifier: the weights are constants, and the second pass is frozen."""
    given = batch()
    for second_order in (False, True):
        net = network(second_order=second_order).eval()
        feature_map, logits = net.attended(given.images)
        class_index = torch.tensor([[0], [1], [2]])
        maps = attention(feature_map, logits, class_index, second_order=second_order)
        (gradient,) = torch.autograd.grad(maps.sum(), net.linear()[0], allow_unused=True)
        assert (gradient is not None) == second_order


def test_the_gradient_in_second_order_agrees_with_finite_differences() -> None:
    """Of a parameter above the layer: it moves the channel weights alone, and is not reached in first order."""
    net, given = network(dtype=torch.float64, layer="layer2").eval(), batch(1, dtype=torch.float64)
    frozen = network(dtype=torch.float64, layer="layer2").eval()
    class_index, present = torch.tensor([[0]]), torch.tensor([[True]])
    parameter = net.model.layer3[1].conv2.weight  # type: ignore[index,union-attr]

    def slopes() -> tuple[Tensor, Tensor, Tensor]:
        feature_map, logits = net.attended(given.images)
        (found,) = torch.autograd.grad(logits[0, 0], feature_map, retain_graph=True)
        return feature_map, logits, (found.mean(dim=(2, 3))[:, :, None, None] * feature_map).sum(1).relu()

    feature_map, logits, cells = slopes()
    highest = cells.max().detach()

    def value() -> float:
        size = (SIZE, SIZE)
        upsampled = nn.functional.interpolate(slopes()[2][:, None] / highest, size=size, mode="bilinear")
        masked = given.images * (1 - torch.sigmoid(10 * (upsampled - 0.5)))
        return torch.sigmoid(frozen(masked)[0, 0]).item()

    own = {}
    for second_order in (False, True):
        maps = attention(feature_map, logits, class_index, second_order=second_order)
        found, _ = mining_loss(net, given, maps, class_index, present)
        (gradient,) = torch.autograd.grad(found, parameter, allow_unused=True, retain_graph=True)
        own[second_order] = gradient
    assert own[False] is None
    step = 1e-5
    for place in own[True].abs().flatten().topk(3).indices.tolist():
        flat = parameter.view(-1)
        with torch.no_grad():
            flat[place] += step
        above = value()
        with torch.no_grad():
            flat[place] -= 2 * step
        below = value()
        with torch.no_grad():
            flat[place] += step
        difference = (above - below) / (2 * step)
        assert float(own[True].flatten()[place]) == pytest.approx(difference, rel=0.02)
        assert difference != 0


# --- what stays as it was


def test_the_second_pass_leaves_statistics_and_modes_alone() -> None:
    net, given = network(), batch()
    dropped = net.model.layer2
    assert isinstance(dropped, nn.Module)
    dropped.eval()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    loss(net, given)
    assert [module.training for module in net.modules()] == modes
    one = build("small_resnet", CLASSES)
    one.load_state_dict(state)
    one.train()
    one.model.layer2.eval()  # type: ignore[union-attr]
    with torch.no_grad():
        one(given.images)  # the first pass alone
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, one.state_dict()[name], msg=name)


def test_the_loss_leaves_grad_alone() -> None:
    net = network()
    loss(net, replace(batch(), extra=extra()))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def test_the_frozen_stream_keeps_its_promise_after_an_error() -> None:
    net, given = network(), batch()
    with pytest.raises(RuntimeError):
        loss(net, replace(given, images=given.images[:, :2]))
    assert net.training
    assert all(parameter.requires_grad for parameter in net.parameters())


# --- cases by hand


def dead(net: GainNetwork) -> GainNetwork:
    with torch.no_grad():
        net.linear()[0].fill_(-1.0)  # the feature map is not negative: so is no attention positive
    return net


def test_attention_of_zeros_is_left_out_and_counted_and_nothing_is_nan() -> None:
    net = dead(network())
    value, _, logs = loss(net, replace(batch(), extra=extra()))
    assert logs["L_am"] == 0
    assert logs["empty_attention"] == 1
    assert logs["empty_supervised"] == 1
    value.backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_one_empty_pair_does_not_change_the_mean_of_the_others() -> None:
    net, given = network().eval(), batch()
    with torch.no_grad():
        net.linear()[0][2] = -1.0  # class 2: labels of images 0 and 2
    value, logged = mining(net, given)
    torch.testing.assert_close(value, literal.mining(net, given.images, given.targets))
    assert logged["empty_attention"].item() == pytest.approx(2 / 4)


def test_classes_that_fill_up_a_row_are_not_counted_as_empty() -> None:
    net = network()
    with torch.no_grad():
        net.linear()[0][
            0
        ] = -1.0  # of the classes 0, 1 and 3, the other place of the second row being filled up
    _, _, logs = loss(net, replace(batch(), extra=extra()))
    assert logs["empty_supervised"].item() == pytest.approx(1 / 3)


def test_what_is_logged_of_the_masked_pictures_by_hand() -> None:
    net, given = network(mask_scale=0.0).eval(), batch()  # masks of 1/2 everywhere
    value, logged = mining(net, given)
    assert logged["masked_share"].item() == pytest.approx(0.5)
    probabilities = net(given.images / 2).sigmoid()[given.targets > 0]
    assert logged["mining_score"].item() == pytest.approx(probabilities.mean().item())
    assert logged["L_am"].item() == pytest.approx(value.item())


def test_an_image_without_labels_is_mined_for_nothing() -> None:
    net, given = network(), batch()
    value, _, logs = loss(net, replace(given, targets=torch.zeros_like(given.targets)))
    assert value == logs["L_cl"]
    assert logs["L_am"] == 0


def test_single_label_images_are_mined_by_softmax() -> None:
    net, given = network().eval(), batch(task=SINGLE_LABEL)
    _, _, logs = loss(net, given)
    total = []
    for image, target in zip(given.images, given.targets, strict=True):
        index = int(target.argmax())
        shown = literal.attention(net, image, index)
        upsampled = nn.functional.interpolate(
            (shown / shown.max())[None, None], size=(SIZE, SIZE), mode="bilinear"
        )[0]
        masked = image * (1 - torch.sigmoid(10 * (upsampled - 0.5)))
        total.append(net(masked[None]).softmax(dim=1)[0, index])
    torch.testing.assert_close(logs["L_am"], torch.stack(total).mean())


def test_the_scores_by_hand() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    probability = torch.sigmoid(logits)
    torch.testing.assert_close(MINING_SCORES["probability"](logits, MULTI_LABEL), probability)
    torch.testing.assert_close(MINING_SCORES["log"](logits, MULTI_LABEL), -torch.log(1 - probability))
    torch.testing.assert_close(MINING_SCORES["softplus"](logits, SINGLE_LABEL), torch.log(1 + logits.exp()))
    softmax = logits.softmax(dim=1)
    torch.testing.assert_close(MINING_SCORES["log"](logits, SINGLE_LABEL), -torch.log(1 - softmax))


def test_mask_loss_by_hand() -> None:
    shown = torch.tensor([[[[0.5, 0.0], [1.0, 0.25]]]])  # (1, 1, 2, 2)
    regions = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    regions[0, 0, :2, :2] = torch.tensor([[1, 1], [1, 0]])  # 3/4 of the first cell
    regions[0, 0, :2, 2:] = torch.tensor([[255, 1], [255, 0]])  # half of what is known of the second
    regions[0, 0, 2:, :2] = 255  # nothing is known of the third
    given = ExtraBatch(
        torch.zeros(1, 3, 4, 4), torch.tensor([[0]]), regions, torch.tensor([False]), torch.ones(1, 4, 4)
    )
    found = extra_losses(shown, given)
    expected = (0.25**2 + 0.5**2 + 0.25**2) / 3
    assert found["L_p"].item() == pytest.approx(expected)
    assert found["L_bbox"] == 0
    aims = torch.tensor([[0.75, 0.5], [float("nan"), 0.0]])
    assert literal.mask_loss(shown[0, 0], aims) == pytest.approx(expected)


def test_box_loss_by_hand() -> None:
    shown = torch.tensor([[[[0.5, 0.25], [1.0, 0.0]]]])
    regions = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    regions[0, 0, :, :2] = 1  # the left cells
    saliency = torch.ones(1, 4, 4)
    saliency[0, :2] = 0.5
    given = ExtraBatch(torch.zeros(1, 3, 4, 4), torch.tensor([[0]]), regions, torch.tensor([True]), saliency)
    found = extra_losses(shown, given)
    expected = (0 + 0.25**2 + 0 + 0) / 4
    assert found["L_bbox"].item() == pytest.approx(expected)
    assert found["L_p"] == 0
    box = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    on_cells = torch.tensor([[0.5, 0.5], [1.0, 1.0]])
    assert literal.box_loss(shown[0, 0], box, on_cells) == pytest.approx(expected)


def test_boxes_that_end_within_a_cell_weigh_both_terms_by_their_share() -> None:
    shown = torch.tensor([[[[0.5, 0.25], [1.0, 0.0]]]])
    regions = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    regions[0, 0, :, :3] = 1  # the left cells, and half of the right ones
    saliency = torch.full((1, 4, 4), 0.75)
    given = ExtraBatch(torch.zeros(1, 3, 4, 4), torch.tensor([[0]]), regions, torch.tensor([True]), saliency)
    right = ((0.5 * 0.25) ** 2 + (0.5 * (0.25 - 0.75)) ** 2) + (0.5 * 0.75) ** 2
    expected = (0.25**2 + 0.25**2 + right) / 4
    assert extra_losses(shown, given)["L_bbox"].item() == pytest.approx(expected)
    box = torch.tensor([[1.0, 0.5], [1.0, 0.5]])
    assert literal.box_loss(shown[0, 0], box, torch.full((2, 2), 0.75)) == pytest.approx(expected)


def test_boxes_without_saliency_are_masks() -> None:
    """Where the edges lie on those of cells."""
    shown = torch.rand(2, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    given = replace(extra(is_box=True), regions=torch.where(extra().regions == 255, 0, extra().regions))
    boxed, masked = extra_losses(shown, given), extra_losses(shown, given, boxes_as_masks=True)
    torch.testing.assert_close(boxed["L_bbox"], masked["L_p"])
    assert masked["L_bbox"] == 0


def test_mixed_supervision_is_averaged_kind_by_kind() -> None:
    shown = torch.rand(2, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    mixed = replace(extra(), is_box=torch.tensor([False, True]))

    def alone(place: slice) -> dict[str, Tensor]:
        part = ExtraBatch(
            mixed.images[place],
            mixed.class_index[place],
            mixed.regions[place],
            mixed.is_box[place],
            mixed.saliency[place],
        )
        return extra_losses(shown[place], part)

    found = extra_losses(shown, mixed)
    torch.testing.assert_close(found["L_p"], alone(slice(0, 1))["L_p"])
    torch.testing.assert_close(found["L_bbox"], alone(slice(1, 2))["L_bbox"])


def test_a_class_that_a_crop_left_nothing_of_does_not_count() -> None:
    shown = torch.rand(1, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    regions = torch.zeros(1, 2, SIZE, SIZE, dtype=torch.uint8)
    regions[0, 0, :24] = 1
    one = ExtraBatch(
        torch.zeros(1, 3, SIZE, SIZE),
        torch.tensor([[0, 1]]),
        regions,
        torch.tensor([False]),
        torch.ones(1, SIZE, SIZE),
    )
    alone = replace(one, class_index=one.class_index[:, :1], regions=regions[:, :1])
    torch.testing.assert_close(extra_losses(shown, one)["L_p"], extra_losses(shown[:, :1], alone)["L_p"])


def test_extra_images_count_for_attention_alone() -> None:
    """In evaluation mode they cannot reach the others by batch norm either."""
    net, given = network().eval(), batch()
    _, logits, alone = loss(net, given)
    value, with_extra, logs = loss(net, replace(given, extra=extra()))
    torch.testing.assert_close(with_extra, logits)
    torch.testing.assert_close(logs["L_cl"], alone["L_cl"])
    torch.testing.assert_close(logs["L_am"], alone["L_am"])
    weights = net.guidance.mining_weight, net.guidance.extra_weight
    whole = logs["L_cl"] + weights[0] * logs["L_am"] + weights[1] * logs["L_p"]
    torch.testing.assert_close(value.detach(), whole)
    means = []
    for row, classes in enumerate(([0, 1], [3])):
        total, count = 0.0, 0
        for place, index in enumerate(classes):
            shown = literal.attention(net, extra().images[row], index).detach()
            regions = extra().regions[row, place]
            aim = nn.functional.avg_pool2d(torch.where(regions == 255, torch.nan, regions.float())[None], 8)[
                0
            ]
            cells = int((~aim.isnan()).sum())
            total += cells * literal.mask_loss(shown / shown.max(), aim)
            count += cells
        means.append(total / count)
    assert count == 30  # of 36: a row is void
    assert logs["L_p"].item() == pytest.approx(sum(means) / 2)


# --- switches


def test_without_mining_and_extra_it_is_a_plain_classifier() -> None:
    net, given = network(mining_weight=0), batch()
    value, logits, logs = loss(net, given)
    torch.testing.assert_close(value, classification_loss(logits, given.targets, MULTI_LABEL))
    assert list(logs) == ["L_cl"]


def test_mining_starts_late() -> None:
    net, given = network(mining_start=0.5), batch()
    assert "L_am" not in loss(net, replace(given, progress=0.4))[2]
    assert "L_am" in loss(net, replace(given, progress=0.5))[2]


def test_validation_is_by_classification_alone() -> None:
    net, given = network().eval(), batch()
    with torch.inference_mode():
        value, logits, logs = loss(net, given)
    torch.testing.assert_close(value, classification_loss(logits, given.targets, MULTI_LABEL))
    assert not logs


@pytest.mark.parametrize(
    "options",
    [
        {"mining_score": "softplus"},
        {"mining_score": "log"},
        {"attention_norm": "minmax"},
        *({"mask_fill": name} for name in FILLS),
        {"second_order": True},
        {"freeze_mining_stream": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("task", [SINGLE_LABEL, MULTI_LABEL])
def test_every_switch_gives_finite_gradients(options: dict[str, Any], task: str) -> None:
    net = network(**options)
    value, _, _ = loss(net, replace(batch(task=task), extra=extra()))
    value.backward()  # type: ignore[no-untyped-call]
    assert all(gradient.isfinite().all() for p in net.parameters() if (gradient := p.grad) is not None)


def test_three_steps_are_deterministic() -> None:
    def trained() -> dict[str, Tensor]:
        net = network()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            value, _, _ = loss(net, replace(batch(), extra=extra()))
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return net.state_dict()

    first, second = trained(), trained()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mining_score": "hinge"}, "unknown mining_score 'hinge'"),
        ({"mask_fill": "black"}, "unknown mask_fill 'black'"),
        ({"attention_norm": "sum"}, "unknown attention_norm 'sum'"),
        ({"mask_threshold": 1.5}, "mask_threshold is a number from 0 to 1"),
        ({"mining_weight": -1.0}, "mining_weight is a number from 0"),
        ({"mining_start": float("nan")}, "mining_start is a number"),
        ({"alpha": 1.0}, "unknown option 'alpha'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        build("small_resnet", CLASSES, options)


def test_the_defaults_are_the_guidances() -> None:
    assert Guidance(**DEFAULTS) == Guidance()  # type: ignore[arg-type]
