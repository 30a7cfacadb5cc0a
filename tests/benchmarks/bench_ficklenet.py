"""FickleNet's maps and training steps against the network around them, and against the paper's own algorithm.

    PYTHONPATH=. python tests/benchmarks/bench_ficklenet.py --threads 1

Everything at the paper's size: 512 x 41 x 41 cells, s = 9, p = 0.9, 200 draws, VGG-16 at 321 x 321. Times are the
process's own (all threads together), the least of several turns, so that what else runs on the machine hardly counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from tests.reference import ficklenet_literal as literal
from wsloc.methods import METHODS
from wsloc.methods.ficklenet import FickleNetwork, aggregated, build, contributions
from wsloc.networks.network import Observation
from wsloc.networks.tasks import MULTI_LABEL, LabelledBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from wsloc.networks.network import Network

SIZE, GRID, CHANNELS, CLASSES, DRAWS = 321, 41, 512, 20, 200
MEMORY = """
import torch
from pathlib import Path
from tests.benchmarks.bench_ficklenet import CHANNELS, CLASSES, GRID, Observation, drawn
from tests.methods.example_networks import fickle_network
torch.set_num_threads({threads})
def peak():  # MiB, of this process alone: getrusage begins with its parent's
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
network = fickle_network(torch.rand(CLASSES, CHANNELS, 9, 9), torch.rand(CLASSES), drop_rate=0.9)
observation = Observation(torch.rand(1, CHANNELS, GRID, GRID), torch.zeros(1, CLASSES))
drawn(network, observation, 1, draws=1)
before = peak()
drawn(network, observation, 1, draws={draws})
print(before, peak())
"""


def least(work: Callable[[], object], turns: int) -> tuple[float, float]:
    """(processor seconds, wall seconds), the least of several turns after one to warm up."""
    work()
    found = []
    for _ in range(turns):
        processor, wall = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - processor, time.perf_counter() - wall))
    return min(one for one, _ in found), min(other for _, other in found)


def paper_network() -> tuple[FickleNetwork, Observation]:
    """Random weights, and a random feature map of one image."""
    torch.manual_seed(0)
    network = build("vgg16_dilated", CLASSES).to(memory_format=torch.channels_last).eval()
    return network, Observation(torch.rand(1, CHANNELS, GRID, GRID), torch.zeros(1, CLASSES))


@torch.no_grad()
def drawn(network: FickleNetwork, observation: Observation, classes: int, draws: int = DRAWS) -> Tensor:
    """The aggregate of all draws of so many classes."""
    network.drawing = replace(network.drawing, draws=draws)
    return aggregated(network, observation, torch.arange(classes)[None])[0]


def literal_draw(network: FickleNetwork, observation: Observation) -> Tensor:
    """One map by expansion, stride-s convolution and a backward pass."""
    kernel = network.kernel
    mask = torch.rand(1, kernel * GRID, kernel * GRID) < 0.1
    mask[:, kernel // 2 :: kernel, kernel // 2 :: kernel] = True
    layer = network.model.get_submodule(network.layer_name)
    return literal.raw_map(observation.feature_map, mask.float(), layer.weight, layer.bias, 0)  # type: ignore[arg-type]  # of a convolution


def maps(turns: int) -> None:
    """Maps against the trunk's forward pass and the literal form."""
    network, observation = paper_network()
    pictures = torch.rand(1, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
    with torch.no_grad():
        trunk = least(lambda: network.features(pictures), turns)
        projection = least(
            lambda: contributions(network, observation.feature_map[0], torch.tensor([0])), turns
        )
    one, three = (least(partial(drawn, network, observation, count), turns) for count in (1, 3))
    slow = least(partial(literal_draw, network, observation), 2)
    print("| at the paper's size | processor time | wall time |")
    print("| --- | --- | --- |")
    print(f"| trunk, forward | {trunk[0] * 1e3:.0f} ms | {trunk[1] * 1e3:.0f} ms |")
    print(f"| projection alone | {projection[0] / trunk[0]:.3f} x | {projection[1] / trunk[1]:.3f} x |")
    print(
        f"| projection and {DRAWS} draws, one class | {one[0] / trunk[0]:.2f} x | {one[1] / trunk[1]:.2f} x |"
    )
    print(f"| three classes, of one | {three[0] / one[0]:.2f} x | {three[1] / one[1]:.2f} x |")
    faster = [slow[place] / (one[place] / DRAWS) for place in (0, 1)]
    print(f"| literal, a map: times a map of {DRAWS} | {faster[0]:,.0f} x | {faster[1]:,.0f} x |")


def memory(threads: int) -> None:
    """Peak memory by the number of draws, each in a process of its own."""
    print("\n| draws | peak memory beside one draw's |")
    print("| --- | --- |")
    for draws in (50, 200, 800):
        code = MEMORY.format(draws=draws, threads=threads)
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        before, after = map(int, ran.stdout.split())
        print(f"| {draws} | {after} MiB beside {before} MiB |")


def steps(turns: int) -> None:
    """A training step against one of the plain baseline."""
    print("\n| a training step | of one with a GAP head, processor time | wall time |")
    print("| --- | --- | --- |")
    for backbone, size, batch in (("vgg16_dilated", SIZE, 1), ("small_resnet", 128, 16)):
        times = {}
        images = torch.rand(batch, 3, size, size).to(memory_format=torch.channels_last)
        targets = torch.eye(CLASSES)[:batch]
        for method in ("gap", "ficklenet"):
            options = {**METHODS[method].DEFAULTS, **({"kernel": 3} if size == 128 else {})}
            torch.manual_seed(0)
            network = METHODS[method].build(backbone, CLASSES, options if method == "ficklenet" else None)
            network = network.to(memory_format=torch.channels_last)
            work = partial(step, method, network, LabelledBatch(images, targets, MULTI_LABEL))
            times[method] = least(work, turns)
        ratios = [times["ficklenet"][place] / times["gap"][place] for place in (0, 1)]
        print(f"| {backbone}, {batch} x {size} x {size} | {ratios[0]:.2f} x | {ratios[1]:.2f} x |")


def step(method: str, network: Network, batch: LabelledBatch) -> None:
    """Forward and backward."""
    network.zero_grad()
    METHODS[method].loss(network, batch)[0].backward()  # type: ignore[no-untyped-call]  # torch has no type for it


def main() -> None:
    """Print the tables, Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} thread(s)\n")
    maps(arguments.turns)
    memory(arguments.threads)
    steps(arguments.turns)


if __name__ == "__main__":
    main()
