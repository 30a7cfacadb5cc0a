"""What GAIN costs: a training step, with and without extra supervision, against one of the plain classifier.

    PYTHONPATH=. python tests/benchmarks/bench_gain_step.py [--backbone resnet50] [--batch-size 8] [--rounds 5]

Every image has one label; with extra supervision there is one image with a mask in a step beside them, or as many as
`--extra` says. All take turns, with the same weights; times are the least of each one's own processor times, memory is
what the peak of a process of its own rises by during two steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from tests.benchmarks.bench_ep_step import least_times
from wsloc.methods import METHODS
from wsloc.networks.tasks import MULTI_LABEL, ExtraBatch, LabelledBatch

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = 20
# name -> (method, options, with extra supervision)
VARIANTS: dict[str, tuple[str, dict[str, bool | int | float | str], bool]] = {
    "plain": ("gap", {}, False),
    "GAIN": ("gain", {}, False),
    "GAIN, shared mining stream": ("gain", {"freeze_mining_stream": False}, False),
    "GAIN, first order": ("gain", {"second_order": False}, False),
    "GAIN_ext": ("gain", {}, True),
    "GAIN_ext, shared mining stream": ("gain", {"freeze_mining_stream": False}, True),
}


def training_step(name: str, arguments: argparse.Namespace) -> Callable[[], None]:
    """Forward, loss, backward and an optimizer's step of a variant."""
    method, options, supervised = VARIANTS[name]
    torch.manual_seed(0)
    side, count = arguments.image_size, arguments.batch_size
    network = METHODS[method].build(arguments.backbone, CLASSES, options)
    network.to(memory_format=torch.channels_last)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    images = torch.randn(count, 3, side, side).to(memory_format=torch.channels_last)
    targets = F.one_hot(torch.arange(count) % CLASSES, CLASSES).float()
    regions = torch.zeros(arguments.extra, 1, side, side, dtype=torch.uint8)
    regions[:, :, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    extra = ExtraBatch(
        images=torch.randn(arguments.extra, 3, side, side),
        class_index=torch.zeros(arguments.extra, 1, dtype=torch.int64),
        regions=regions,
        is_box=torch.zeros(arguments.extra, dtype=torch.bool),
        saliency=torch.ones(arguments.extra, side, side),
    )
    batch = LabelledBatch(images, targets, MULTI_LABEL, 1.0, extra if supervised else None)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss, _, _ = METHODS[method].loss(network, batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no type for it
        optimizer.step()

    return step


def peak() -> int:
    """MiB that this process has used at most: of it alone, since getrusage begins with its parent's."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def memory(name: str) -> int:
    """MiB that two steps of a variant add, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--memory-of", name], check=True, capture_output=True
    )
    return int(json.loads(ran.stdout))


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--extra", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-of", choices=VARIANTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        before = peak()
        step = training_step(arguments.memory_of, arguments)
        step()
        step()
        print(peak() - before)
        return
    best = least_times({name: training_step(name, arguments) for name in VARIANTS}, arguments.rounds + 1)
    used = {name: memory(name) for name in VARIANTS}
    print(f"{arguments.backbone}, batch {arguments.batch_size} at {arguments.image_size}\n")
    print("| a training step of | time / plain | memory / plain |")
    print("| --- | --- | --- |")
    for name in VARIANTS:
        print(f"| {name} | {best[name] / best['plain']:.2f} | {used[name] / used['plain']:.2f} |")


if __name__ == "__main__":
    main()
