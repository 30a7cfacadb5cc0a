from __future__ import annotations

import warnings

import pytest
import torch

from wsloc.errors import UnsupportedError
from wsloc.networks.precision import PRECISIONS, autocasting, checked_precision, precision_name

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", [*PRECISIONS])
def test_what_is_computed_in(name: str) -> None:
    ones = torch.ones(2, 2)
    with autocasting("cpu", PRECISIONS[name]):
        assert (ones @ ones).dtype == getattr(torch, name)
    assert precision_name(PRECISIONS[name]) == name
    assert checked_precision(CPU, PRECISIONS[name]) is PRECISIONS[name]


@pytest.mark.parametrize("kind", [UserWarning, RuntimeError])
def test_what_a_device_does_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    """As older GPUs, and torch for some devices, say it."""

    def refuse(_device: str, dtype: torch.dtype) -> None:
        if kind is RuntimeError:
            raise RuntimeError(f"does not support {dtype}")
        warnings.warn(f"does not support {dtype}. Disabling autocast.", stacklevel=2)

    monkeypatch.setattr(torch, "autocast", refuse)
    words = "cpu does not work in bfloat16: take --precision float32 or float16"
    with pytest.raises(UnsupportedError, match=words):
        checked_precision(CPU, torch.bfloat16)
    assert checked_precision(CPU, None) is None
