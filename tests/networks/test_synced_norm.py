"""Batch norm over several processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from wsloc.networks.small_resnet import SmallResNet
from wsloc.networks.synced_norm import SyncedBatchNorm2d, synchronize

CHANNELS, PROCESSES = 5, 2
SPLIT = 3  # of seven images: the processes need not have equally many


def norm(kind: type[nn.BatchNorm2d] = SyncedBatchNorm2d) -> nn.BatchNorm2d:
    torch.manual_seed(0)
    found = kind(CHANNELS, momentum=0.3)
    nn.init.normal_(found.weight)
    nn.init.normal_(found.bias)
    return found


def images() -> Tensor:
    return torch.randn(7, CHANNELS, 4, 6, generator=torch.Generator().manual_seed(1)) * 3 + 2


def passed(layer: nn.BatchNorm2d, pictures: Tensor, aims: Tensor) -> dict[str, Tensor]:
    """Two passes: outputs, gradients and statistics of the second."""
    layer(pictures)
    pictures = pictures.clone().requires_grad_()
    outputs = layer(pictures)
    (outputs * aims).sum().backward()
    assert pictures.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    statistics = {name: value.clone() for name, value in layer.named_buffers()}
    return {
        "outputs": outputs.detach(),
        "gradient": pictures.grad,
        "weight": layer.weight.grad,
        "bias": layer.bias.grad,
        **statistics,
    }


def one_process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=PROCESSES)
    part = slice(0, SPLIT) if rank == 0 else slice(SPLIT, None)
    found = passed(norm(), images()[part], images().cos()[part])
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_normalise_like_one(tmp_path: object) -> None:
    whole = passed(norm(nn.BatchNorm2d), images(), images().cos())
    spawn(one_process, (str(tmp_path),), PROCESSES)  # type: ignore[no-untyped-call]  # torch ships no annotation
    parts = [torch.load(f"{tmp_path}/{rank}.pt") for rank in range(PROCESSES)]
    for name in ("outputs", "gradient"):
        torch.testing.assert_close(
            torch.cat([part[name] for part in parts]), whole[name], rtol=1e-4, atol=1e-5
        )
    for name in ("weight", "bias"):  # each process has its own images' share
        torch.testing.assert_close(parts[0][name] + parts[1][name], whole[name], rtol=1e-4, atol=1e-5)
    for part in parts:
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            torch.testing.assert_close(part[name], whole[name], rtol=1e-5, atol=1e-5)


def test_one_process_has_batch_norm() -> None:
    plain, synced = norm(nn.BatchNorm2d), norm()
    first, second = passed(plain, images(), images().cos()), passed(synced, images(), images().cos())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_network_keeps_its_names_weights_and_modes() -> None:
    model = SmallResNet(3)
    model.layer2.eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    synchronize(model)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) > 10
    assert all(isinstance(module, SyncedBatchNorm2d) for module in norms)
    assert not any(module.training for module in model.layer2.modules())
    assert model.bn1.training
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
