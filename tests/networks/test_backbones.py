"""Every family of backbones: cut and whole agree, maps are exact where promised, errors say what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from functools import cache
from http.client import IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.networks import backbones
from wsloc.networks.backbones import (
    OWN_BACKBONES,
    available_backbones,
    backbone_family,
    build_backbone,
    default_input,
    imagenet_classes,
    prepare_state,
)
from wsloc.networks.families import FAMILIES, SMALL_RESNET
from wsloc.networks.network import Network, class_maps

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parents[2] / "README.md"
CLASSES = 10

# The smallest of every family.
REPRESENTATIVES = {
    "resnet": "resnet18",
    "vgg": "vgg11",
    "inception": "inception_v3",
    "googlenet": "googlenet",
    "densenet": "densenet121",
    "mobilenetv2": "mobilenet_v2",
    "mobilenetv3": "mobilenet_v3_small",
    "efficientnet": "efficientnet_b0",
    "convnext": "convnext_tiny",
    "regnet": "regnet_y_400mf",
    "squeezenet": "squeezenet1_1",
    "mnasnet": "mnasnet0_5",
    "shufflenetv2": "shufflenet_v2_x0_5",
    "alexnet": "alexnet",
}
NAMES = (*REPRESENTATIVES.values(), "small_resnet")
VARIANTS = tuple(name for name in OWN_BACKBONES if name not in NAMES)  # see test_vgg_variants
EXACT = {
    *("resnet18", "inception_v3", "googlenet", "densenet121", "mobilenet_v2", "efficientnet_b0"),
    *("regnet_y_400mf", "mnasnet0_5", "shufflenet_v2_x0_5", "small_resnet"),
}
TRANSFORMERS = ("vit_b_16", "swin_t", "swin_v2_t", "maxvit_t")

every_family = pytest.mark.parametrize("name", NAMES)


@cache
def network(name: str) -> Network:
    """One network a name for the whole file; tests leave it as they found it.

    Its batch norms have seen the images: as they start, deep networks show next to nothing of their input.
    """
    torch.manual_seed(0)
    built = build_backbone(name, CLASSES)
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        built(images(name))
    return built.eval()


@pytest.fixture(scope="module", autouse=True)
def _free_networks() -> Iterator[None]:
    """Gives a gigabyte back to the other test files."""
    yield
    network.cache_clear()


@contextmanager
def training(trained: Network) -> Iterator[None]:
    """Training mode for a while; running statistics are put back."""
    kept = [buffer.clone() for buffer in trained.buffers()]
    trained.train()
    try:
        yield
    finally:
        trained.eval()
        for buffer, value in zip(trained.buffers(), kept, strict=True):
            buffer.copy_(value)


@cache
def images(name: str) -> Tensor:
    """Two images (2, 3, side + stride, side): one cell taller than wide."""
    family = backbone_family(name)
    side = max(64, family.smallest_input)
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 3, side + family.stride, side, generator=generator)


@cache
def feature_map(name: str) -> Tensor:
    with torch.no_grad():
        return network(name).features(images(name))


def support_table() -> str:
    """The README's table of backbones, made from the registry and from the networks themselves."""
    rows = [
        "| Backbone family | CAM, EP (exact) | Grad-CAM | stride | feature map at its default size |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in NAMES:
        side, _, _ = default_input(name)
        with torch.no_grad():
            rows_of_cells, columns = network(name).features(torch.zeros(1, 3, side, side)).shape[2:]
        exact = "yes" if network(name).has_linear_head else "no"
        cells = f"{rows_of_cells} x {columns} at {side} (`{name}`)"
        rows.append(f"| {network(name).family.name} | {exact} | yes | {network(name).stride} | {cells} |")
    for name in VARIANTS:
        side, _, _ = default_input(name)
        with torch.device("meta"):
            found = build_backbone(name)
            grid = found.features(torch.zeros(1, 3, side, side)).shape[2:]
        exact = "yes" if found.has_linear_head else "no"
        cells = f"{grid[0]} x {grid[1]} at {side} (`{name}`)"
        rows.append(f"| {found.family.name} | {exact} | yes | {found.stride} | {cells} |")
    return "\n".join(rows)


def test_every_family_has_a_representative() -> None:
    assert set(REPRESENTATIVES) == set(FAMILIES)
    for family, name in REPRESENTATIVES.items():
        assert backbone_family(name) is FAMILIES[family]
    assert backbone_family("small_resnet") is SMALL_RESNET


def test_every_torchvision_classifier_is_available_but_transformers() -> None:
    left_out = set(models.list_models(module=models)) - set(available_backbones())
    assert {name.split("_")[0] for name in left_out} == {"vit", "swin", "maxvit"}
    assert list(available_backbones()) == sorted(set(available_backbones()))
    assert {"resnet50", "wide_resnet50_2", "resnext50_32x4d", "vgg16_bn", "small_resnet"} <= set(
        available_backbones()
    )


@every_family
def test_cut_and_whole_agree(name: str) -> None:
    with torch.no_grad():
        whole = network(name).model(images(name))  # (N, C)
        cut = network(name).head(network(name).features(images(name)))
        assert torch.equal(network(name)(images(name)), cut)
    assert cut.shape == (2, CLASSES)
    assert (whole[0] - whole[1]).abs().max() > 1e-3 * whole.abs().max()  # the images do show
    assert (cut - whole).abs().max() <= 1e-5 * whole.abs().max()


@every_family
def test_a_stride_more_of_input_is_a_cell_more(name: str) -> None:
    height, width = feature_map(name).shape[2:]
    assert height == width + 1
    if name not in {"inception_v3", "alexnet", "squeezenet1_1"}:  # those do not pad
        assert width == images(name).shape[3] // network(name).stride


@every_family
def test_smallest_input_is_accepted(name: str) -> None:
    side = backbone_family(name).smallest_input
    with torch.no_grad():
        assert network(name)(torch.rand(1, 3, side, side)).shape == (1, CLASSES)


@every_family
def test_training_mode_gives_plain_logits_and_gradients(name: str) -> None:
    with training(network(name)):
        features = network(name).features(images(name))
        kept = features.detach().clone()
        logits = network(name).head(features)  # (N, C)
        first = next(network(name).model.parameters())
        at_map, at_stem = torch.autograd.grad(logits.square().sum(), (features, first))
    assert logits.shape == (2, CLASSES)
    assert torch.equal(features, kept)
    for gradient in (at_map, at_stem):
        assert gradient.isfinite().all()
        assert gradient.any()


@every_family
@pytest.mark.parametrize("in_training", [False, True])
def test_head_leaves_its_feature_map_alone(name: str, in_training: bool) -> None:
    cells = (1, 1) if name not in {"vgg11", "alexnet"} else (3, 3)  # 1 x 1: pooling could hand on a view
    channels = feature_map(name).shape[1]
    leaf = torch.randn(2, channels, *cells, requires_grad=True)  # negative values: a ReLU would show
    kept = leaf.detach().clone()
    with training(network(name)) if in_training else nullcontext():
        logits = network(name).head(leaf)
    (gradient,) = torch.autograd.grad(logits.square().sum(), leaf)
    assert torch.equal(leaf, kept)
    assert gradient.any()


@every_family
def test_exact_where_promised(name: str) -> None:
    assert network(name).has_linear_head == (name in EXACT)
    if name not in EXACT:
        with pytest.raises(UnsupportedError, match=rf"{name} .*--map gradcam"):
            network(name).linear()
        return
    weight, bias = network(name).linear()
    assert bias is not None
    values = torch.randn(2, weight.shape[1], 3, 4)  # (N, K, h, w)
    with torch.no_grad():
        kept = bias.clone()
        bias.uniform_(-1, 1)  # several families start it at zero
        maps = class_maps(values, weight, bias)  # (N, C, h, w)
        logits = network(name).head(values)
        bias.copy_(kept)
    assert weight.shape == (CLASSES, feature_map(name).shape[1])
    assert logits.std() > 0.01
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", REPRESENTATIVES.values())
def test_parameter_names_are_torchvisions(name: str) -> None:
    options: dict[str, Any] = (
        {"init_weights": False} if name in {"vgg11", "inception_v3", "googlenet"} else {}
    )
    with nullcontext() if name == "regnet_y_400mf" else torch.device("meta"):  # shapes alone; RegNet computes
        theirs = models.get_model(name, weights=None, num_classes=CLASSES, **options).state_dict()
    ours = network(name).model.state_dict()
    assert {key: value.shape for key, value in ours.items()} == {k: v.shape for k, v in theirs.items()}


def test_inception_is_cut_at_mixed_7c() -> None:
    seen: list[Tensor] = []
    mixed: nn.Module = network("inception_v3").model.get_submodule("Mixed_7c")
    handle = mixed.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    with torch.no_grad():
        features = network("inception_v3").features(images("inception_v3"))
    handle.remove()
    assert torch.equal(features, seen[0])
    assert features.shape[1] == 2048


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_inceptions_scale_their_input_themselves(name: str) -> None:
    # ImageNet's mean and deviation out, 0.5 and 0.5 in.
    mean = torch.tensor(backbones.IMAGENET_MEAN)[:, None, None]
    std = torch.tensor(backbones.IMAGENET_STD)[:, None, None]
    halves = (images(name) * std + mean - 0.5) / 0.5
    model: Any = network(name).model
    assert model.transform_input
    with torch.no_grad():
        scaled = network(name).features(images(name))
        model.transform_input = False
        plain, by_hand = network(name).features(images(name)), network(name).features(halves)
        model.transform_input = True
    torch.testing.assert_close(scaled, by_hand, rtol=1e-3, atol=1e-3 * by_hand.abs().max().item())
    assert (scaled - plain).abs().max() > 0.05 * plain.abs().max()


def test_densenets_map_is_rectified() -> None:
    model: Any = network("densenet121").model
    with torch.no_grad():
        unrectified = model.features(images("densenet121"))
    assert unrectified.min() < 0
    assert torch.equal(feature_map("densenet121"), unrectified.clamp(min=0))


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_are_turned_away(name: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"{name} .*transformers are not supported yet.*ResNet.*VGG"):
        build_backbone(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("resnt50", "resnet50"), ("EfficientNet_B0", "efficientnet_b0"), ("qqq", "ResNet, ResNeXt")],
)
def test_unknown_names(name: str, hint: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"unknown backbone '{name}': .*{hint}"):
        build_backbone(name)
    with pytest.raises(UnsupportedError, match=name):
        default_input(name)


@pytest.mark.parametrize(
    "failure", [URLError("no route"), IncompleteRead(b""), RuntimeError("invalid hash value\n(expected x)")]
)
def test_weights_that_cannot_be_fetched(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(CheckpointError) as caught:
        build_backbone("resnet18", weights="DEFAULT")
    message = str(caught.value)
    assert re.fullmatch(r"resnet18: .*could not be fetched.*--weights FILE.*--weights none", message)
    assert "https://" in message


def test_weights_that_do_not_exist() -> None:
    with pytest.raises(CheckpointError, match=r"small_resnet: .*--weights none"):
        build_backbone("small_resnet", weights="DEFAULT")
    with pytest.raises(CheckpointError, match=r"weights a\.pth are neither"):
        build_backbone("resnet18", weights=Path("a.pth"))


# Those whose files or builders are peculiar: old keys, a version beside the entries, auxiliary classifiers.
@pytest.mark.parametrize("name", ["densenet121", "mnasnet0_5", "googlenet", "resnet18"])
@pytest.mark.parametrize("classes", [1000, CLASSES])
def test_default_weights_are_loaded(name: str, classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = build_backbone(name, 1000).model.state_dict()
    expected = {key: value.clone() for key, value in source.items()}
    for key in list(source) if name == "densenet121" else []:
        source[re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key)] = source.pop(key)
    monkeypatch.setattr(models._api.WeightsEnum, "get_state_dict", lambda *_, **__: source)
    loaded = build_backbone(name, classes, weights="DEFAULT").model.state_dict()
    assert set(loaded) == set(expected)
    fitting = [key for key in expected if expected[key].shape == loaded[key].shape]
    assert all(torch.equal(loaded[key], expected[key]) for key in fitting)
    others = set(expected) - set(fitting)
    assert bool(others) == (classes != 1000)
    assert all(re.search(r"fc2?\.|classifier", key) for key in others)


def test_old_densenet_keys() -> None:
    old = "features.denseblock1.denselayer12.norm.1.running_mean"
    untouched = ("features.denseblock1.denselayer1.norm1.weight", "features.norm0.weight", "classifier.bias")
    state = {key: torch.zeros(1) for key in (old, *untouched)}
    prepared = prepare_state(network("densenet121").model, state)
    assert list(prepared) == ["features.denseblock1.denselayer12.norm1.running_mean", *untouched]
    assert list(state) == [old, *untouched]


def test_mnasnet_takes_plain_dicts() -> None:
    model = network("mnasnet0_5").model
    plain = dict(model.state_dict())
    with pytest.raises(ValueError, match="version"):
        model.load_state_dict(plain)
    model.load_state_dict(prepare_state(model, plain))


def test_default_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    imagenet = (backbones.IMAGENET_MEAN, backbones.IMAGENET_STD)
    assert default_input("resnet50") == (224, *imagenet)
    assert default_input("inception_v3") == (299, *imagenet)
    assert default_input("efficientnet_v2_l") == (480, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert default_input("small_resnet") == (64, *imagenet)
    monkeypatch.setattr(backbones, "_default_weights", lambda _: None)
    assert default_input("efficientnet_v2_l") == (224, *imagenet)


def test_imagenet_classes() -> None:
    classes = imagenet_classes()
    assert len(classes) == len(classes.names) == len(set(classes.ids)) == 1000
    assert list(classes.ids) == sorted(classes.ids)
    assert all(re.fullmatch(r"n\d{8}", wnid) for wnid in classes.ids)
    assert (classes.ids[1], classes.names[1]) == ("n01443537", "goldfish")
    assert classes.names[2] == "great white shark"
    theirs = models.get_model_weights("resnet18").DEFAULT.meta["categories"]
    assert (
        sum(a == b for a, b in zip(classes.names, theirs, strict=True)) >= 990
    )  # a few are worded otherwise


def test_readme_has_the_table() -> None:
    found = re.search(
        r"<!-- families -->\n+(.*?)\n+<!-- /families -->", README.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    assert found.group(1) == support_table()
