"""RIB as it is worded: one image at a time, a deep copy of the model, torch's own SGD, a loop over everything.

Lee et al., Reducing Information Bottleneck for Weakly Supervised Semantic Segmentation, NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from wsloc.networks.network import Network

if TYPE_CHECKING:
    from torch import Tensor, nn

    from wsloc.methods.rib import FineTuning

Others = Sequence[tuple["Tensor", Sequence[int]]]  # images (3, S, S), each with its classes


def gndrp(cells: Tensor, tau: float) -> Tensor:
    """One map (h, w), cell by cell."""
    highest = float(cells.detach().max())
    total = torch.zeros(())
    for row in cells:
        for cell in row:
            if highest <= 0 or float(cell.detach()) / highest < tau:
                total = total + cell
    return total / cells.numel()


def trained(
    network: Network, parts: Sequence[str], learning_rates: tuple[float, float]
) -> list[dict[str, object]]:
    """The parameters that are trained, in the two groups of the optimizer."""
    assert network.family.linear is not None
    classifier = list(network.family.linear(network.model).parameters())
    stages = [parameter for part in parts for parameter in network.model.get_submodule(part).parameters()]
    return [
        {"params": stages, "lr": learning_rates[0]},
        {"params": classifier, "lr": learning_rates[1]},
    ]


def class_cells(network: Network, view: Tensor, index: int) -> tuple[Tensor, Tensor | float]:
    """CAM (h, w) of one view (3, H, W) and one class, before its ReLU, and the classifier's bias."""
    weight, bias = network.linear()
    feature_map = network.features(view[None])[0]  # (K, h, w)
    cells = (weight[index][:, None, None] * feature_map).sum(dim=0)
    return cells, 0.0 if bias is None else bias[index]


def views_of(image: Tensor, settings: FineTuning) -> list[tuple[Tensor, bool]]:
    """Views of an image (3, H, W)."""
    views = []
    for scale in settings.scales:
        size = [round(side * scale) for side in image.shape[1:]]
        view = image
        if scale != 1:
            view = F.interpolate(image[None], size=size, mode="bilinear", align_corners=False)[0]
        views += [(view, False)] + ([(view.flip(2), True)] if settings.flip else [])
    return views


def divided(cells: Tensor) -> Tensor:
    """ReLU, then by the maximum."""
    cells = cells.relu()
    return cells / cells.max() if cells.max() > 0 else cells


def step_map(network: Network, image: Tensor, index: int, settings: FineTuning) -> Tensor:
    """The map (H, W) of one class at one step, from all views."""
    total = torch.zeros(image.shape[1:])
    views = views_of(image, settings)
    for view, mirrored in views:
        with torch.no_grad():
            cells = class_cells(network, view, index)[0]
        cells = divided(cells) if settings.sum == "normalized" else cells.relu()
        cells = cells.flip(1) if mirrored else cells
        size = tuple(image.shape[1:])
        total += F.interpolate(cells[None, None], size=size, mode="bilinear", align_corners=False)[0, 0]
    return divided(total) if settings.sum == "normalized" else total


def pooled(network: Network, view: Tensor, index: int, tau: float) -> Tensor:
    """The logit of one class in one view, without an activation, by GNDRP."""
    cells, bias = class_cells(network, view, index)
    return gndrp(cells, tau) + bias


def fine_tuned_map(
    given: Network, image: Tensor, classes: Sequence[int], settings: FineTuning, others: Others = ()
) -> tuple[Tensor, int, nn.Module]:
    """The maps (P, H, W) of one image, how many steps they are of, and the model as it came out."""
    assert given.family.last_stages is not None
    network = Network(given.name, deepcopy(given.model).eval(), given.family)
    groups = trained(
        network, given.family.last_stages.parts, settings.learning_rates(0) if settings.steps else (0, 0)
    )
    network.requires_grad_(requires_grad=False)
    for group in groups:
        for parameter in group["params"]:  # type: ignore[attr-defined]  # a list of them
            parameter.requires_grad_(requires_grad=True)
    optimizer = torch.optim.SGD(groups, lr=0, weight_decay=settings.weight_decay)
    total, steps = torch.zeros(len(classes), *image.shape[1:]), 0
    for step in range(settings.steps + 1):
        maps = torch.stack([step_map(network, image, index, settings) for index in classes])
        total, steps = total + maps, steps + 1
        if step == settings.steps:
            break
        views = [view for view, _ in views_of(image, settings)]
        logit = sum(
            (pooled(network, view, index, settings.tau) for view in views for index in classes),
            torch.zeros(()),
        )
        spread = [float((cells > settings.stop_level * cells.max()).float().mean()) for cells in maps]
        if float(logit.detach()) > settings.stop_logit or (step > 0 and max(spread) > settings.stop_share):
            break
        loss = -logit
        for other, labels in others:
            loss = loss - sum(
                (pooled(network, other, index, settings.tau) for index in labels), torch.zeros(())
            )
        optimizer.zero_grad()
        for group, rate in zip(optimizer.param_groups, settings.learning_rates(step), strict=True):
            group["lr"] = rate
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        optimizer.step()
    return torch.stack([divided(cells / steps) for cells in total]), steps, network.model
