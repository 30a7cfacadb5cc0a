"""Names of devices: resolved where the machine has them, refused in words where not."""

from __future__ import annotations

import pytest
import torch

from wsloc.errors import UnsupportedError
from wsloc.networks.devices import resolve_device, settling


def machine(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    """Have torch see so many CUDA devices, and Apple's or not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")]
)
def test_auto_is_the_best_there_is(monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, best: str) -> None:
    machine(monkeypatch, cuda=cuda, mps=mps)
    assert resolve_device("auto") == torch.device(best)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", "mps"])
def test_what_there_is_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch, cuda=2, mps=True)
    assert resolve_device(name) == torch.device(name)
    assert resolve_device(torch.device(name)) == torch.device(name)


@pytest.mark.parametrize(("gpus", "own"), [(4, "cuda:3"), (2, "cuda:1"), (1, "cuda")])
def test_processes_of_a_run_take_a_gpu_each(monkeypatch: pytest.MonkeyPatch, gpus: int, own: str) -> None:
    """Number 3 of 4 on this machine; the fourth of two GPUs is the second one, and a named one stays the named one."""
    machine(monkeypatch, cuda=gpus)
    launcher = {"RANK": "7", "WORLD_SIZE": "8", "LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "4"}
    for name, value in {**launcher, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert resolve_device("auto") == resolve_device("cuda") == torch.device(own)
    assert resolve_device("cuda:0") == torch.device("cuda:0")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:1", "cuda:99", "mps"])
def test_what_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch, cuda=1 if name in {"cuda:1", "cuda:99"} else 0)
    for device in (name, torch.device(name)):
        with pytest.raises(UnsupportedError, match=r"on this machine: use --device cpu$") as error:
            resolve_device(device)
        assert name.upper() in str(error.value).upper()


@pytest.mark.parametrize("name", ["gpu", "CPU", "", "cuda:-1", "cuda:x", "cpu,cuda", "meta", "xla"])
def test_other_names_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnsupportedError, match="choose auto, cpu, cuda, cuda:N or mps") as error:
        resolve_device(name)
    assert repr(name) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gpu_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    settle = settling(torch.device("cuda:1"))
    assert settle is not None
    settle()
    assert waited == [torch.device("cuda:1")]
    assert settling(torch.device("cpu")) is None
