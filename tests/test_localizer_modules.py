from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

import wsloc
from tests.example_localizers import assert_close, maps_of, picture
from wsloc.errors import MemoryLimitError, UnsupportedError
from wsloc.fitting import Fitting
from wsloc.inputs.pictures import load_picture
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.networks.network import evaluating

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.localizer import Localizer


def test_a_module_of_ones_own_is_left_as_it_was() -> None:
    """In training mode, partly frozen, with gradients and a hook of its owner's."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=4),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(6 * 8 * 8, 3),
    )
    module[1].eval()
    module[0].requires_grad_(requires_grad=False)
    gradient = torch.ones(3, 6 * 8 * 8)
    module[5].weight.grad = gradient.clone()
    module[2].register_forward_hook(lambda *_: None)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    modes = [layer.training for layer in module.modules()]
    localizer = wsloc.load(module, target_layer="2", preprocessing=Preprocessing(image_size=32))
    assert len(localizer.classes) == 3
    first, second = (localizer.localize(picture(), classes=[0, 1, 2]) for _ in range(2))
    assert first == second  # no dropout
    assert first.map == "gradcam"
    assert maps_of(first).max() > 0
    assert [layer.training for layer in module.modules()] == modes
    assert True in modes
    assert False in modes
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert torch.equal(module[5].weight.grad, gradient)
    assert [parameter.requires_grad for parameter in module.parameters()] == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]
    assert sum(len(layer._forward_hooks) for layer in module.modules()) == 1
    assert not any(layer._backward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_grad_cam_of_a_layer_is_that_of_the_cut_network(gap_checkpoint: Path) -> None:
    cut = wsloc.load(gap_checkpoint, device="cpu")
    hooked = wsloc.load(gap_checkpoint, target_layer="layer3", device="cpu")
    assert hooked.default_map() == "gradcam"
    assert_close(
        hooked.localize(picture(), classes="top5"), cut.localize(picture(), map="gradcam", classes="top5")
    )
    earlier = wsloc.load(gap_checkpoint, target_layer="layer1", device="cpu").localize(
        picture(), classes="top5"
    )
    assert not np.allclose(
        maps_of(earlier),
        maps_of(hooked.localize(picture(), classes="top5")),
        atol=0.01,
    )


def test_evaluation_mode_ends_after_an_error() -> None:
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(1).eval())

    def fail() -> None:
        with evaluating(module):
            assert not any(layer.training for layer in module.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert [layer.training for layer in module.modules()] == [True, True, False]


@pytest.mark.parametrize("mode", [nullcontext, torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_callers_autograd_mode_does_not_matter(gap: Localizer, mode: Callable[[], Any]) -> None:
    expected = gap.localize(picture(), map="gradcam", classes="top5")
    with mode():
        found = gap.localize(picture(), map="gradcam", classes="top5")
        assert not torch.is_inference_mode_enabled() or mode is torch.inference_mode
    assert found == expected


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, gap: Localizer, error: Exception
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(gap.network, "observe", fail)
    alone = replace(gap, fitting=Fitting())
    with pytest.raises(MemoryLimitError, match=r"one input of 48 x 48 pixels does .* smaller --image-size$"):
        alone.localize([picture(), picture(1)])
    loaded = [load_picture(picture(seed), f"{seed}", gap.preprocessing) for seed in range(2)]
    with pytest.raises(MemoryLimitError, match=r"2 inputs of 48 x 48 pixels do not fit .* --batch-size"):
        alone.observe(loaded, ["cam"], lambda scores: scores.topk(1).indices)


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch, gap: Localizer) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(gap.network, "observe", fail)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        gap.localize(picture())


def test_a_module_of_doubles_is_explained_as_one_of_floats() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 8 * 8, 3))
    records = [
        wsloc.load(form, target_layer="1", preprocessing=Preprocessing(image_size=32)).localize(picture())
        for form in (module, module.double())
    ]
    assert module[0].weight.dtype == torch.float64
    assert_close(*records)


def test_a_module_without_gradients_is_refused() -> None:
    with torch.inference_mode():
        module = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.Flatten(), nn.Linear(6 * 8 * 8, 3))
    with pytest.raises(UnsupportedError, match=r"under torch\.inference_mode"):
        wsloc.load(module, target_layer="0", preprocessing=Preprocessing(image_size=32))
