"""A network's trunk through `torch.compile`: generated code in place of one call a layer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wsloc.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsloc.networks.network import Network

_COMPILERS = (
    "torch._dynamo.",
    "torch._inductor.",
)  # where their errors are from; none of it is a public name
_LONGEST_REASON = 200  # characters


def compile_trunk(network: Network, device: torch.device) -> None:
    """Have the trunk compiled when the first batch comes, and again for a batch of another size.

    The head and the maps stay as they are. Results agree with those of the layers up to rounding.

    Args:
        network: cut into trunk and head, without BEW layers.
        device: where it runs.

    Raises:
        UnsupportedError: if there is no compiler for the device, or the network cannot be compiled.
    """
    if not network.family.stride or network.branches:
        raise UnsupportedError(
            "--compile is of a trunk as it is: not of modules of your own, networks that are explained at a layer "
            "inside, and networks with BEW layers"
        )
    with _compiler_errors():  # a trivial one: better now than after minutes
        torch.compile(_trivial)(torch.ones(8, device=device))
    layers = network.family.features
    compiled = torch.compile(layers)

    def features(model: nn.Module, images: Tensor) -> Tensor:
        with _compiler_errors():
            return compiled(model, images)

    network.family = replace(network.family, features=features)


def _trivial(values: Tensor) -> Tensor:
    return values.sin() + 1


@contextmanager
def _compiler_errors() -> Iterator[None]:
    """What torch's compilers raise becomes one line; what the network itself raises stays."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(_COMPILERS):
            raise
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        raise UnsupportedError(
            f"torch.compile failed ({reason[:_LONGEST_REASON]}): install a C++ compiler (and for CUDA, triton), or "
            "leave --compile out"
        ) from error
