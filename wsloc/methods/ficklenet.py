"""FickleNet: a classifier that sees a random selection of hidden units at every window, in training and inference.

Lee et al., FickleNet: Weakly and Semi-supervised Semantic Image Segmentation using Stochastic Inference, CVPR 2019.
Symbols: x (N, K, h, w) the feature map, u a cell of it, s the side of the classifier's kernel, d one of its s * s
offsets, W (C, K, s, s) and b (C,) the classifier, p the drop rate.

The paper expands x so that no two windows overlap, drops units of the expanded map (the windows' centres never),
convolves with stride s, averages, and differentiates. None of that is needed: the mask is shared by channels and
classes, the classifier is one linear layer, and a pair (window, offset) is a pair (source cell u, offset d). With
m[u, d] the mask in that frame, 0 where the window u - d lies outside the grid:

    P[c, d, u] = <W_c[:, d], x(u)>                                  one 1x1 convolution an image
    M_c(u)     = ReLU(1/(hw) sum_d m[u, d] P[c, d, u])              eq. 1, elementwise
    z_c        = b_c + 1/(hw) sum_{u, d} m[u, d] P[c, d, u]         the draw's logit: b + the sum of M before its ReLU
               = b_c + 1/(hw) sum_d <W_c[:, d], sum_u m[u, d] x(u)> as it is trained

The literal form stands in tests/reference. Decisions that the paper leaves open: the logit is differentiated, not its
sigmoid; what is kept is not scaled by 1/(1-p); each draw's map is divided by its own maximum, per class; classes and
probabilities, in training's validation and in inference, come from the expected mask, so that no draw moves them.
Cells at the border are seen by fewer windows, as they are in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsloc.errors import UnsupportedError
from wsloc.networks.backbones import backbone_family, build_backbone, default_input
from wsloc.networks.network import Network
from wsloc.networks.tasks import classification_loss
from wsloc.networks.unit_selection import kept_units, windows_inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsloc.networks.network import Observation
    from wsloc.networks.tasks import LabelledBatch

    Options = Mapping[str, bool | int | float | str]

MODES = ("stochastic", "general", "deterministic")
KERNEL_SHARE = 0.22  # of the grid's side: the paper's 9 of 41 cells
SMALLEST_KERNEL = 3
DEFAULTS: dict[str, bool | int | float | str] = {
    "kernel": 0,
    "drop_rate": 0.9,
    "train_mode": "stochastic",
    "infer_mode": "stochastic",
    "draws": 200,
}
PRETRAINED: dict[str, bool | int | float | str] = {}


@dataclass(frozen=True, slots=True)
class Drawing:
    """How maps are drawn at inference; classes and probabilities do not depend on it.

    Attributes:
        draws: N, how many maps are aggregated.
        drop_rate: p of a unit, 0-1.
        mode: of `MODES`: a selection a window (`stochastic`), whole cells of the feature map dropped once a draw
            (`general`), or the expected mask (`deterministic`), which is one map.
        random_seed: of the draws, beside the image's own key.

    Raises:
        UnsupportedError: if one is unknown or out of its range.
    """

    draws: int = 200
    drop_rate: float = 0.9
    mode: str = "stochastic"
    random_seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise UnsupportedError(f"draws is a whole number of at least 1, not {self.draws}")
        if not 0 <= self.drop_rate < 1:
            raise UnsupportedError(f"drop_rate is a share in 0-1, below 1, not {self.drop_rate}")
        if self.mode not in MODES:
            raise UnsupportedError(f"unknown mode {self.mode!r}: choose one of {', '.join(MODES)}")


class FickleNetwork(Network):
    """A network whose pooled linear layer is a convolution over randomly selected units.

    The convolution stands in the model under the linear layer's name, so that its state dict holds it; the model's
    own forward pass does not know of it.

    Args:
        network: with a pooled linear head; its model is changed.
        kernel: s, odd.
        drop_rate: p in training, and of the expected mask, 0-1.
        train_mode: of `MODES`.
        drawing: how maps are drawn.

    Attributes:
        drawing: may be replaced at any time.

    Raises:
        UnsupportedError: if the head is not pooling and one linear layer, or an option is out of its range.
    """

    def __init__(
        self, network: Network, kernel: int, drop_rate: float, train_mode: str, drawing: Drawing
    ) -> None:
        super().__init__(network.name, network.model, replace(network.family, linear=None))
        if kernel < 1 or kernel % 2 == 0:
            raise UnsupportedError(f"kernel is an odd number of cells, not {kernel}")
        Drawing(drop_rate=drop_rate, mode=train_mode)  # the checks
        classes, channels = network.linear()[0].shape
        layer = cast("nn.Module", network.family.linear and network.family.linear(network.model))
        self.layer_name = next(name for name, module in self.model.named_modules() if module is layer)
        self.kernel = kernel
        self.drop_rate = drop_rate
        self.train_mode = train_mode
        self.drawing = drawing
        convolution = nn.Conv2d(channels, classes, kernel, padding=kernel // 2)
        self.model.set_submodule(self.layer_name, convolution)

    @property
    def classifier(self) -> tuple[Tensor, Tensor]:
        """Weight (C, s * s, K) and bias (C,)."""
        layer = cast("nn.Conv2d", self.model.get_submodule(self.layer_name))
        return layer.weight.permute(0, 2, 3, 1).flatten(1, 2), cast("Tensor", layer.bias)

    def linear(self) -> tuple[Tensor, Tensor | None]:
        """There is none: always an error that says what can be shown instead."""
        raise UnsupportedError(
            f"{self.name} with FickleNet's head is a convolution over selected cells, not pooling and one linear "
            "layer, so CAM and entropy maps would not be exact: use --map stochastic (with --infer-mode "
            "deterministic for the map of the expected selection) or --map gradcam"
        )

    def head(self, feature_map: Tensor) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w) under the expected mask: the mean over all draws."""
        return self.scores(feature_map, self.expected_mask(feature_map))

    def scores(self, feature_map: Tensor, masks: Tensor) -> Tensor:
        """Logits (N, C) of a feature map (N, K, h, w) under masks m (N or 1, h * w, s * s), float32 at least."""
        with torch.autocast(feature_map.device.type, enabled=False):
            cells = _wide(feature_map).permute(0, 2, 3, 1).flatten(1, 2)  # (N, h * w, K)
            masks = masks.to(cells.dtype).expand(len(cells), -1, -1)
            selected = torch.bmm(masks.transpose(1, 2), cells) / cells.shape[1]  # (N, s * s, K)
            weight, bias = (value.to(cells.dtype) for value in self.classifier)
            return F.linear(selected.flatten(1), weight.flatten(1), bias)  # (N, C)

    def expected_mask(self, feature_map: Tensor) -> Tensor:
        """The mean of the masks that it was trained with: (h * w, s * s), broadcast over images as it is.

        1 at the centre and 1 - p elsewhere; 1 - p everywhere for general dropout, which spares no centre.
        """
        mask = torch.full((self.kernel**2,), 1 - self.drop_rate, device=feature_map.device)
        if self.train_mode != "general":
            mask[self.kernel**2 // 2] = 1
        return mask * windows_inside(feature_map, self.kernel)  # (h * w, s * s)

    def training_masks(self, feature_map: Tensor) -> Tensor:
        """A mask an image: (N, h * w, s * s) of 0 and 1, or the expected one; of torch's own random numbers."""
        if self.train_mode == "deterministic":
            return self.expected_mask(feature_map)
        inside = windows_inside(feature_map, self.kernel)  # (h * w, s * s)
        offsets = 1 if self.train_mode == "general" else self.kernel**2
        numbers = torch.rand(len(feature_map), len(inside), offsets, device=feature_map.device)
        kept = numbers >= self.drop_rate
        if self.train_mode == "stochastic":
            kept[:, :, offsets // 2] = True
        return kept * inside


def _wide(values: Tensor) -> Tensor:
    """In float32 at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


# Building and training


def build(
    backbone: str, classes: int, options: Mapping[str, object] | None = None, weights: str | None = None
) -> FickleNetwork:
    """The backbone with a convolution over randomly selected units in place of its linear layer.

    Args:
        backbone: a name of `available_backbones()` with a pooled linear head.
        classes: outputs.
        options: `kernel` (s; 0 for the one that suits the backbone's default input), `drop_rate` (p), `train_mode`,
            `infer_mode` and `draws`; `DEFAULTS` for what is not given.
        weights: None for random weights, `DEFAULT` for torchvision's (the classifier is random).

    Raises:
        UnsupportedError: if the backbone's head is not pooling and one linear layer, or an option is unknown or
            out of its range.
    """
    given = {**DEFAULTS, **cast("Options", options or {})}
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise UnsupportedError(f"unknown option {unknown[0]!r}: known are {', '.join(DEFAULTS)}")
    given = settled(given, backbone, default_input(backbone)[0])
    drop_rate = float(given["drop_rate"])
    drawing = Drawing(int(given["draws"]), drop_rate, str(given["infer_mode"]))
    network = build_backbone(backbone, classes=classes, weights=weights)
    return FickleNetwork(network, int(given["kernel"]), drop_rate, str(given["train_mode"]), drawing)


def settled(options: Options, backbone: str, image_size: int) -> dict[str, bool | int | float | str]:
    """Options with the kernel that suits the grid of so many pixels a side, where it is left open (0)."""
    return {**options, "kernel": options["kernel"] or suitable_kernel(_side(backbone, image_size))}


def kernel_warning(options: Options, backbone: str, image_size: int) -> str | None:
    """Says that the kernel is wide for the grid of so many pixels a side; None if it is not."""
    side = _side(backbone, image_size)
    if int(options["kernel"]) <= suitable_kernel(side):
        return None
    return (
        f"windows of {options['kernel']} cells a side are wide for a grid of {side} x {side}: "
        f"--kernel {suitable_kernel(side)} is in the paper's proportion (9 of 41)"
    )


def _side(backbone: str, image_size: int) -> int:
    """Cells a side of the grid of so many pixels."""
    return -(-image_size // backbone_family(backbone).stride)


def suitable_kernel(side: int) -> int:
    """The odd size next to 0.22 of a grid's side in cells, at least 3: 9 for the paper's 41."""
    return max(SMALLEST_KERNEL, 2 * round((KERNEL_SHARE * side - 1) / 2) + 1)


def loss(network: Network, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Classification loss under one mask a window and image, logits (N, C), and nothing else to log.

    In evaluation mode under the expected mask.
    """
    fickle = cast("FickleNetwork", network)
    feature_map = fickle.features(batch.images)  # (N, K, h, w)
    masks = fickle.training_masks(feature_map) if fickle.training else fickle.expected_mask(feature_map)
    logits = fickle.scores(feature_map, masks)
    return classification_loss(logits, batch.targets, batch.task), logits, {}


# Maps


def activation_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """The maximum over the draws of each draw's map (section 3.2): where it exceeds theta, any of them does.

    Args:
        network: of `build`.
        observation: of N images, with their draw keys.
        class_index: (N, P), the classes explained.

    Returns:
        (N, P, h, w), grid frame, 0-1.

    Raises:
        UnsupportedError: if the network has another head.
    """
    return aggregated(network, observation, class_index)[0]


def mean_map(network: Network, observation: Observation, class_index: Tensor) -> Tensor:
    """The mean over the draws of each draw's map: (N, P, h, w), as `activation_map`."""
    return aggregated(network, observation, class_index)[1]


def aggregated(network: Network, observation: Observation, class_index: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum and mean of the draws' maps, each (N, P, h, w) in 0-1; memory does not grow with the draws.

    The masks of an image are drawn once for all classes. They depend on the drawing's random seed and the image's
    draw key alone, and fewer draws are the first ones of more.

    Raises:
        UnsupportedError: if the network has another head.
    """
    shape = (*class_index.shape, *observation.feature_map.shape[2:])
    largest, means = [], []
    for position in range(len(class_index)):
        maximum, total, count = torch.zeros(()), torch.zeros(()), 0
        for maps in _draws(require_fickle(network), observation, class_index, position):
            maximum = torch.maximum(maximum.to(maps), maps.amax(dim=1))  # (h * w, P)
            total = total.to(maps) + maps.sum(dim=1)
            count += maps.shape[1]
        largest.append(maximum.T)  # (P, h * w)
        means.append(total.T / count)
    return torch.stack(largest).view(shape), torch.stack(means).view(shape)


def single_draws(network: Network, observation: Observation, class_index: Tensor, count: int) -> Tensor:
    """The maps of the first draws of those that `aggregated` takes: (N, P, count, h, w), grid frame, 0-1.

    Raises:
        UnsupportedError: if the network has another head.
    """
    fickle = require_fickle(network)
    found = [
        torch.cat(list(_draws(fickle, observation, class_index, position, count)), dim=1)  # (h * w, count, P)
        for position in range(len(class_index))
    ]
    shape = (*class_index.shape, -1, *observation.feature_map.shape[2:])
    return torch.stack(found).permute(0, 3, 2, 1).reshape(shape)


def require_fickle(network: Network) -> FickleNetwork:
    """The network itself, if it has FickleNet's head.

    Raises:
        UnsupportedError: if not.
    """
    if not isinstance(network, FickleNetwork):
        raise UnsupportedError(
            f"the map stochastic is of FickleNet's head, which {network.name} has not: train one with "
            "`wsloc train ficklenet`"
        )
    return network


def set_drawing(
    network: Network, random_seed: int, *, count: int | None, drop_rate: float | None, mode: str | None
) -> None:
    """Change how a network's maps are drawn; what is None stays. A seed alone is nothing to networks without draws.

    Raises:
        UnsupportedError: if another network's drawing is to be changed, or an option is out of its range.
    """
    changed = any(value is not None for value in (count, drop_rate, mode))
    if changed or isinstance(network, FickleNetwork):
        fickle = require_fickle(network)
        own = fickle.drawing
        fickle.drawing = Drawing(
            own.draws if count is None else count,
            own.drop_rate if drop_rate is None else drop_rate,
            own.mode if mode is None else mode,
            random_seed,
        )


def contributions(network: FickleNetwork, feature_map: Tensor, class_index: Tensor) -> Tensor:
    """`P[c, d, u] / (hw)`, 0 where no window is: (h * w, s * s, P) of one feature map (K, h, w), classes (P,)."""
    weight = network.classifier[0].detach()[class_index]  # (P, s * s, K)
    cells = feature_map.detach().flatten(1).T  # (h * w, K)
    with torch.autocast(cells.device.type, enabled=False):
        projected = cells @ weight.to(cells.dtype).permute(2, 1, 0).flatten(1)  # (h * w, s * s * P)
    inside = windows_inside(feature_map[None], network.kernel)  # (h * w, s * s)
    parts = projected.view(len(cells), network.kernel**2, -1)  # (h * w, s * s, P)
    return parts * inside.unsqueeze(2) / len(cells)


def _draws(
    network: FickleNetwork,
    observation: Observation,
    class_index: Tensor,
    position: int,
    most: int | None = None,
) -> Iterator[Tensor]:
    """The maps of one image's draws, each divided by its maximum, in chunks (h * w, n, P)."""
    drawing = network.drawing
    feature_map = observation.feature_map[position]
    parts = contributions(network, feature_map, class_index[position])  # (h * w, s * s, P)
    if drawing.mode == "deterministic":
        yield _normalized(
            (network.expected_mask(feature_map[None]).unsqueeze(2) * parts).sum(1, keepdim=True)
        )
        return
    general = drawing.mode == "general"
    if general:
        parts = parts.sum(dim=1, keepdim=True)  # (h * w, 1, P)
    key = (drawing.random_seed, *(observation.draw_keys[position] if observation.draw_keys else ()))
    count = drawing.draws if most is None else min(most, drawing.draws)
    for kept in kept_units(key, count, len(parts), parts.shape[1], drawing.drop_rate, centre=not general):
        masks = torch.from_numpy(kept).to(parts.device).to(parts.dtype)  # (h * w, n, s * s)
        yield _normalized(torch.bmm(masks, parts))


def _normalized(maps: Tensor) -> Tensor:
    """ReLU, then each map (h * w, n, P) divided by its own maximum; all zeros where nothing is positive."""
    maps = maps.relu_()
    highest = maps.amax(dim=0, keepdim=True)  # (1, n, P)
    return maps / highest.where(highest > 0, torch.ones_like(highest))
