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
class LabelledBatch:
    """What a loss is computed on.

    Attributes:
        images: (N, 3, S, S), normalised.
        targets: (N, C), 1 at the image's labels, 0 elsewhere.
        task: one of `TASKS`.
        progress: how much of the training is done, 0-1; for what is phased in.
    """

    images: Tensor
    targets: Tensor
    task: str
    progress: float = 1.0


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
