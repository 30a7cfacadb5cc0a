"""The processes that train one network together, as torchrun or another launcher starts them."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from wsloc.errors import RunError
from wsloc.running.ranks import launched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from torch import Tensor

    from wsloc.methods import Method
    from wsloc.networks.network import Network
    from wsloc.networks.tasks import LabelledBatch

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Group:
    """One process among those of a training; by default the only one.

    Attributes:
        rank: its number, from 0; process 0 leads: it writes and speaks.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This process's share of so many things: parts differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wrapped(self, module: nn.Module, device: torch.device, *, all_used: bool = True) -> nn.Module:
        """A module whose gradients are averaged over the processes as they come; itself where there is one.

        Args:
            module: of the device.
            device: of this process.
            all_used: whether every pass uses all parameters; torch warns if it looks for others in vain.
        """
        if self.size == 1:
            return module
        return DistributedDataParallel(
            module,
            device_ids=[device] if device.type == "cuda" else None,
            broadcast_buffers=False,  # `average_buffers` brings them together
            find_unused_parameters=not all_used,
        )

    @staticmethod
    def exchanging(module: nn.Module, *, now: bool) -> AbstractContextManager[None]:
        """While the block lasts gradients pile up in each process, unless they are to be averaged now."""
        if now or not isinstance(module, DistributedDataParallel):
            return nullcontext()
        return module.no_sync()

    def gathered(self, value: Value) -> list[Value]:
        """What each process gives, in the order of their numbers, to all of them."""
        if self.size == 1:
            return [value]
        found: list[Value | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]  # every process has given its value

    def agreed(self, decide: Callable[[], Value]) -> Value:
        """What the leading process decides, in all of them."""
        if self.size == 1:
            return decide()
        box: list[Value | None] = [decide() if self.leads else None]
        dist.broadcast_object_list(box, src=0)
        return box[0]  # type: ignore[return-value]  # the leading process has decided

    @torch.no_grad()
    def average_buffers(self, module: nn.Module) -> None:
        """Make running statistics the mean of those of all processes, each of which has seen its own images."""
        if self.size == 1:
            return
        for value in module.buffers():
            if value.is_floating_point():
                dist.all_reduce(value)
                value.div_(self.size)


@contextmanager
def training_group(device: torch.device) -> Iterator[Group]:
    """This process among those of its training, joined while the block lasts.

    They meet over NCCL where each has a GPU of its own, else over gloo.

    Raises:
        RunError: if the others cannot be reached.
        UsageError: if the launcher's variables make no sense.
    """
    rank, size = launched()
    if size == 1:
        yield Group()
        return
    own_gpus = device.type == "cuda" and device.index is not None
    try:
        dist.init_process_group("nccl" if own_gpus else "gloo", rank=rank, world_size=size)
    except (RuntimeError, ValueError) as error:
        raise RunError(f"the other processes of this training cannot be reached: {error}") from error
    try:
        yield Group(rank, size)
    finally:
        dist.destroy_process_group()


class Objective(nn.Module):
    """A method's loss as one module, so that what it runs is seen as a whole.

    Args:
        method: whose loss it is.
        network: what learns.
    """

    def __init__(self, method: Method, network: Network) -> None:
        super().__init__()
        self.method = method
        self.network = network

    def forward(self, batch: LabelledBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """(loss, logits (N, C), what is logged) of a batch."""
        return self.method.loss(self.network, batch)
