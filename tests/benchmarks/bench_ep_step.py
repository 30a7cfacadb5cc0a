"""What Entropy Pooling's head costs: a training step and an inference pass of resnet50, against average pooling.

    PYTHONPATH=. python tests/benchmarks/bench_ep_step.py [--backbone resnet50] [--batch-size 8] [--rounds 7]

Both networks have the same weights and take turns; the ratio is of the least processor time of each.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from wsloc.methods import METHODS
from wsloc.networks.tasks import SINGLE_LABEL, LabelledBatch

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 1000


def training_step(method: str, backbone: str, batch: LabelledBatch) -> Callable[[], None]:
    """Forward, loss, backward and an optimizer's step."""
    network = METHODS[method].build(backbone, CLASSES)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        loss, _, _ = METHODS[method].loss(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        optimizer.step()

    return step


def inference_pass(method: str, backbone: str, batch: LabelledBatch) -> Callable[[], None]:
    """Logits, without a graph."""
    network = METHODS[method].build(backbone, CLASSES).eval()
    network.to(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            network(batch.images)

    return run


def least_times(jobs: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """The least processor time of each job, in seconds; they take turns."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            best[name] = min(best[name], time.process_time() - started)
    return best


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    side = arguments.image_size
    images = torch.randn(arguments.batch_size, 3, side, side).to(memory_format=torch.channels_last)
    labels = torch.arange(arguments.batch_size) % CLASSES
    batch = LabelledBatch(images, F.one_hot(labels, CLASSES).float(), SINGLE_LABEL)
    print(f"{arguments.backbone}, batch {arguments.batch_size} at {side}, {CLASSES} classes\n")
    print("| | EP / GAP | BEW + EP / GAP |")
    print("| --- | --- | --- |")
    for words, build in (("training step", training_step), ("inference pass", inference_pass)):
        jobs = {name: build(name, arguments.backbone, batch) for name in ("gap", "ep", "bew")}
        best = least_times(jobs, arguments.rounds + 1)  # the first round warms up
        print(f"| {words} | {best['ep'] / best['gap']:.3f} | {best['bew'] / best['gap']:.3f} |")


if __name__ == "__main__":
    main()
