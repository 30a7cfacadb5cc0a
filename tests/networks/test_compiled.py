"""The trunk through `torch.compile`, with the backend that generates no code: a real one takes a minute."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from wsloc.errors import UnsupportedError
from wsloc.methods import METHODS
from wsloc.networks.backbones import build_backbone
from wsloc.networks.compiled import compile_trunk
from wsloc.networks.hooked import HookedNetwork

if TYPE_CHECKING:
    from collections.abc import Callable

CPU = torch.device("cpu")


def failing_compile(_function: object, **_options: object) -> Callable[..., Any]:
    """`torch.compile` on a machine without a compiler."""

    def fail(*_arguments: object) -> Any:
        from torch._inductor.exc import InvalidCxxCompiler

        raise InvalidCxxCompiler

    return fail


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Compiles without generating code; the number of operations of each graph that was made."""
    made: list[int] = []

    def backend(graph: torch.fx.GraphModule, _inputs: object) -> Callable[..., Any]:
        made.append(sum(node.op == "call_function" for node in graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    return made


def test_a_compiled_trunk_gives_the_same(graphs: list[int]) -> None:
    torch.manual_seed(0)
    network = build_backbone("small_resnet", classes=4).eval()
    images = torch.rand(2, 3, 32, 32)
    before = network.observe(images, differentiable=True)
    names = list(network.state_dict())
    compile_trunk(network, CPU)
    after = network.observe(images, differentiable=True)
    assert max(graphs) > 10  # not only the trivial one
    torch.testing.assert_close(after.feature_map, before.feature_map)
    torch.testing.assert_close(after.logits, before.logits)
    assert after.logits.requires_grad
    assert list(network.state_dict()) == names


def test_no_compiler_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build_backbone("small_resnet", classes=4)
    features = network.family.features
    monkeypatch.setattr(torch, "compile", failing_compile)
    with pytest.raises(
        UnsupportedError, match=r"^torch.compile failed \(No working.*: install a C\+\+ compiler"
    ):
        compile_trunk(network, CPU)
    assert network.family.features is features


def test_too_little_memory_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller passes are the answer to it."""

    def full(*_inputs: object) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    network = build_backbone("small_resnet", classes=4).eval()
    backend = partial(
        torch.compile, backend=lambda graph, _: graph.forward if len(graph.graph.nodes) < 5 else full
    )
    monkeypatch.setattr(torch, "compile", backend)
    compile_trunk(network, CPU)
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate"):
        network.observe(torch.rand(1, 3, 32, 32), differentiable=False)


def test_networks_that_hooks_cut_are_refused() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 900, 2))
    branched = METHODS["bew"].build("small_resnet", 4, {})
    for network in (HookedNetwork(module, "0"), branched):
        with pytest.raises(UnsupportedError, match="--compile is of a trunk as it is"):
            compile_trunk(network, CPU)
