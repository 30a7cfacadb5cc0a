"""Single-label (softmax) and multi-label (sigmoid) classification: one place for what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

SINGLE_LABEL: Final = "single-label"
MULTI_LABEL: Final = "multi-label"
TASKS = (SINGLE_LABEL, MULTI_LABEL)


@dataclass(frozen=True, slots=True)
class ExtraBatch:
    """Images of which more is known than their labels: where their classes are.

    Attributes:
        images: (E, 3, S, S), normalised.
        class_index: (E, P), int64, the classes whose places are known; -1 fills shorter rows up.
        regions: uint8 (E, P, S, S), input frame: 1 where the class is (its mask, or its boxes), 0 elsewhere, 255
            where the mask is void.
        is_box: bool (E,), whether an image's regions are boxes.
        saliency: float32 (E, S, S), 0-1, how likely a pixel is of an object; 1 where nothing is known of it.
    """

    images: Tensor
    class_index: Tensor
    regions: Tensor
    is_box: Tensor
    saliency: Tensor


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """What a loss is computed on.

    Attributes:
        images: (N, 3, S, S), normalised.
        targets: (N, C), 1 at the image's labels, 0 elsewhere.
        task: one of `TASKS`.
        progress: how much of the training is done, 0-1; for what is phased in.
        extra: images with extra supervision, beside the others; None without any.
    """

    images: Tensor
    targets: Tensor
    task: str
    progress: float = 1.0
    extra: ExtraBatch | None = None


def probabilities(logits: Tensor, task: str) -> Tensor:
    """Class probabilities (N, C) in 0-1, float32: softmax (single-label) or sigmoid (multi-label)."""
    logits = logits.float()
    return logits.softmax(dim=1) if task == SINGLE_LABEL else logits.sigmoid()


def classification_loss(logits: Tensor, targets: Tensor, task: str) -> Tensor:
    """Mean cross-entropy (single-label) or multi-label soft margin, a scalar, in float32.

    Args:
        logits: (N, C).
        targets: (N, C), 1 at the image's labels, 0 elsewhere.
        task: one of `TASKS`.
    """
    logits = logits.float()
    if task == SINGLE_LABEL:
        return F.cross_entropy(logits, targets.argmax(dim=1))
    return F.multilabel_soft_margin_loss(logits, targets)
