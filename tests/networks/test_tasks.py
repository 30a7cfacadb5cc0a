"""Softmax and sigmoid, and their losses, against their definitions."""

from __future__ import annotations

import math

import pytest
import torch

from wsloc.networks.tasks import MULTI_LABEL, SINGLE_LABEL, TASKS, classification_loss, probabilities

LOGITS = torch.tensor([[0.0, math.log(3.0)], [math.log(4.0), 0.0]])


def test_tasks() -> None:
    assert TASKS == (SINGLE_LABEL, MULTI_LABEL) == ("single-label", "multi-label")


def test_probabilities_by_hand() -> None:
    single = torch.tensor([[0.25, 0.75], [0.8, 0.2]])
    multi = torch.tensor([[0.5, 0.75], [0.8, 0.5]])
    torch.testing.assert_close(probabilities(LOGITS, SINGLE_LABEL), single)
    torch.testing.assert_close(probabilities(LOGITS, MULTI_LABEL), multi)


def test_single_label_loss_by_hand() -> None:
    targets = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    expected = -(math.log(0.75) + math.log(0.2)) / 2
    assert classification_loss(LOGITS, targets, SINGLE_LABEL).item() == pytest.approx(expected)


def test_multi_label_loss_by_hand() -> None:
    targets = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    expected = -(math.log(0.5) + math.log(0.75) + math.log(0.2) + math.log(0.5)) / 4
    assert classification_loss(LOGITS, targets, MULTI_LABEL).item() == pytest.approx(expected)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float32_whatever_comes_in(task: str, dtype: torch.dtype) -> None:
    logits, targets = LOGITS.to(dtype), torch.eye(2)
    found = probabilities(logits, task)
    assert found.dtype == classification_loss(logits, targets, task).dtype == torch.float32
    assert torch.equal(found, probabilities(logits.float(), task))


@pytest.mark.parametrize("task", TASKS)
def test_extreme_logits_stay_finite(task: str) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    found = probabilities(logits, task)
    assert ((found >= 0) & (found <= 1)).all()
    loss = classification_loss(logits, torch.tensor([[0.0, 1.0, 0.0]]), task)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert gradient.isfinite().all()
    assert gradient[0, 0] > 0 > gradient[0, 1]
