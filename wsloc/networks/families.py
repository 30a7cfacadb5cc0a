"""Where the networks of every architecture family are cut: plain dicts, one entry a family."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F

from wsloc.networks.network import Family, LastStages
from wsloc.networks.vgg_variants import poolings

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

# Models are `Any` in this file: every family has attributes of its own, and torchvision is untyped.


def _chain(model: Any, x: Tensor, layers: tuple[str, ...]) -> Tensor:
    """The named layers of a model, dotted where they lie deeper, one after another."""
    for layer in layers:
        x = attrgetter(layer)(model)(x)
    return x


def _rescaled_chain(model: Any, images: Tensor, layers: tuple[str, ...]) -> Tensor:
    """Inception, GoogLeNet: their own scaling of the input first; auxiliary classifiers are passed over."""
    scaled: Tensor = model._transform_input(images)  # noqa: SLF001 - torchvision offers no public name for it
    return _chain(model, scaled, layers)


def _rectified_features(model: Any, images: Tensor) -> Tensor:
    """DenseNet: up to the ReLU that torchvision keeps outside `features` (where it is in place)."""
    return F.relu(model.features(images))  # (N, K, h, w)


def _unpooled_features(model: Any, images: Tensor) -> Tensor:
    """VGG, AlexNet: up to the last ReLU, which stands before the last max pooling."""
    feature_map: Tensor = model.features[:-1](images)  # (N, K, h, w)
    return feature_map


def _pooled_chain(model: Any, feature_map: Tensor, layers: tuple[str, ...]) -> Tensor:
    """Global average pooling, then the named layers."""
    pooled = F.adaptive_avg_pool2d(feature_map, 1).flatten(1)  # (N, K)
    return _chain(model, pooled, layers)  # (N, C)


def _max_pooled_head(model: Any, feature_map: Tensor) -> Tensor:
    """VGG, AlexNet: the last max pooling, a grid of fixed size, fully connected layers."""
    grid: Tensor = model.avgpool(model.features[-1](feature_map))  # (N, K, 7, 7); AlexNet 6 x 6
    logits: Tensor = model.classifier(grid.flatten(1))  # (N, C)
    return logits


def _normalised_head(model: Any, feature_map: Tensor) -> Tensor:
    """ConvNeXt: a layer norm between pooling and linear layer."""
    logits: Tensor = model.classifier(model.avgpool(feature_map))  # (N, K, 1, 1) -> (N, C)
    return logits


def _convolved_head(model: Any, feature_map: Tensor) -> Tensor:
    """SqueezeNet: a 1x1 convolution and a ReLU before the pooling."""
    logits: Tensor = model.classifier(feature_map)  # (N, C, 1, 1)
    return logits.flatten(1)


def _last_poolings(model: Any) -> tuple[nn.Module, nn.Module]:
    """VGG-16 (Entropy Pooling, section 4.1): before the fourth and the fifth pooling."""
    fourth, fifth = poolings(model.features)[3:]
    return fourth, fifth


def _around_conv6(model: Any) -> tuple[nn.Module, nn.Module]:
    """VGG-GAP: before the fourth pooling, and one convolution before global average pooling."""
    return poolings(model.features)[3], model.conv6


def _before_last_block(model: Any) -> tuple[nn.Module, nn.Module]:
    """ResNet: before the fourth halving of the grid, and one block before global average pooling."""
    return model.layer3, model.layer4[-1]


def _last_stage(model: Any) -> tuple[nn.Module, nn.Module]:
    """small_resnet, which has three stages: before the last halving, and one block before pooling."""
    return model.layer3, model.layer3[-1]


def _layers(*names: str) -> Callable[[nn.Module, Tensor], Tensor]:
    return partial(_chain, layers=names)


def _rescaled_layers(*names: str) -> Callable[[nn.Module, Tensor], Tensor]:
    return partial(_rescaled_chain, layers=names)


def _pooled(*names: str) -> Callable[[nn.Module, Tensor], Tensor]:
    return partial(_pooled_chain, layers=names)


def _stages(below: tuple[str, ...], above: tuple[str, ...]) -> LastStages:
    """The layers below the last two stages, and those of these stages."""
    return LastStages(_layers(*below), _layers(*above), above)


def _rescaled_stages(below: tuple[str, ...], above: tuple[str, ...]) -> LastStages:
    """The same where the input is scaled first."""
    return replace(_stages(below, above), below=_rescaled_layers(*below))


# The layers of some families, parted where the last two stages begin.
_RESNET = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"), ("layer3", "layer4")
_INCEPTION = (
    (
        *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1"),
        *("Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
        *("Mixed_5b", "Mixed_5c", "Mixed_5d"),
    ),
    (
        *("Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
        *("Mixed_7a", "Mixed_7b", "Mixed_7c"),
    ),
)
_GOOGLENET = (
    (
        *("conv1", "maxpool1", "conv2", "conv3", "maxpool2"),
        *("inception3a", "inception3b", "maxpool3"),
    ),
    (
        *("inception4a", "inception4b", "inception4c", "inception4d", "inception4e", "maxpool4"),
        *("inception5a", "inception5b"),
    ),
)
_SHUFFLENET = ("conv1", "maxpool", "stage2"), ("stage3", "stage4", "conv5")
_REGNET = (
    ("stem", "trunk_output.block1", "trunk_output.block2"),
    ("trunk_output.block3", "trunk_output.block4"),
)
# VGG-16: conv4, which begins behind the third pooling, and conv5.
_VGG = (
    tuple(f"features.{place}" for place in range(17)),
    tuple(f"features.{place}" for place in range(17, 30)),
)

SMALL_RESNET = Family(
    "small_resnet (ours)",
    _layers("features"),
    _pooled("fc"),
    attrgetter("fc"),
    stride=8,
    smallest_input=8,
    stages=("layer2", "layer3"),
    branch_places=_last_stage,
    last_stages=_stages(("first_stage",), ("layer2", "layer3")),
)
VGG_GAP = Family(
    "VGG-GAP (ours)",
    _layers("trunk"),
    _pooled("fc"),
    attrgetter("fc"),
    stride=16,
    branch_places=_around_conv6,
    last_stages=LastStages(_layers(*_VGG[0]), _layers(*_VGG[1], "rectified_conv6"), (*_VGG[1], "conv6")),
)
VGG_DILATED = Family(
    "VGG-16 dilated (ours)",
    _layers("features"),
    _pooled("dropout", "fc"),
    attrgetter("fc"),
    stride=8,
    last_stages=_stages(_VGG[0], (*_VGG[1], "features.30")),  # the fifth pooling, without stride
)

# By the torchvision module that defines the family's models.
FAMILIES: dict[str, Family] = {
    "resnet": Family(
        "ResNet, ResNeXt, Wide ResNet",
        _layers(*_RESNET[0], *_RESNET[1]),
        _pooled("fc"),
        attrgetter("fc"),
        stride=32,
        stages=("layer3", "layer4"),
        branch_places=_before_last_block,
        last_stages=_stages(*_RESNET),
    ),
    "vgg": Family("VGG", _unpooled_features, _max_pooled_head, None, stride=16, branch_places=_last_poolings),
    "inception": Family(
        "Inception v3",
        _rescaled_layers(*_INCEPTION[0], *_INCEPTION[1]),
        _pooled("dropout", "fc"),
        attrgetter("fc"),
        stride=32,
        smallest_input=75,
        branch_places=attrgetter("Mixed_6a", "Mixed_7c"),
        last_stages=_rescaled_stages(*_INCEPTION),
    ),
    "googlenet": Family(
        "GoogLeNet",
        _rescaled_layers(*_GOOGLENET[0], *_GOOGLENET[1]),
        _pooled("dropout", "fc"),
        attrgetter("fc"),
        stride=32,
        last_stages=_rescaled_stages(*_GOOGLENET),
    ),
    "densenet": Family(
        "DenseNet", _rectified_features, _pooled("classifier"), attrgetter("classifier"), stride=32
    ),
    "mobilenetv2": Family(
        "MobileNet v2", _layers("features"), _pooled("classifier"), attrgetter("classifier.1"), stride=32
    ),
    "mobilenetv3": Family("MobileNet v3", _layers("features"), _pooled("classifier"), None, stride=32),
    "efficientnet": Family(
        "EfficientNet v1, v2",
        _layers("features"),
        _pooled("classifier"),
        attrgetter("classifier.1"),
        stride=32,
    ),
    "convnext": Family("ConvNeXt", _layers("features"), _normalised_head, None, stride=32),
    "regnet": Family(
        "RegNet X, Y",
        _layers(*_REGNET[0], *_REGNET[1]),
        _pooled("fc"),
        attrgetter("fc"),
        stride=32,
        last_stages=_stages(*_REGNET),
    ),
    "squeezenet": Family("SqueezeNet", _layers("features"), _convolved_head, None, stride=16),
    "mnasnet": Family(
        "MNASNet", _layers("layers"), _pooled("classifier"), attrgetter("classifier.1"), stride=32
    ),
    "shufflenetv2": Family(
        "ShuffleNet v2",
        _layers(*_SHUFFLENET[0], *_SHUFFLENET[1]),
        _pooled("fc"),
        attrgetter("fc"),
        stride=32,
        last_stages=_stages(*_SHUFFLENET),
    ),
    "alexnet": Family("AlexNet", _unpooled_features, _max_pooled_head, None, stride=16, smallest_input=63),
}

# Token grids, not feature maps of a convolution: the cut above does not fit them.
TRANSFORMERS: dict[str, str] = {
    "vision_transformer": "ViT",
    "swin_transformer": "Swin Transformer",
    "maxvit": "MaxViT",
}
