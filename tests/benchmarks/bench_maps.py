"""What activation maps cost: times as ratios to one plain forward pass. Run by hand; nothing is asserted.

    python tests/benchmarks/bench_maps.py --repetitions 5 --threads 1

All contenders take turns in one run, in another order each time. Processor time is what counts: other programs
hardly change it, while the clock's ratios, printed beside it, are only true on a machine that does nothing else.
Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import random
import time
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING

import torch

from wsloc.methods import MAPS
from wsloc.methods.ep import with_entropy_pooling
from wsloc.networks.backbones import build_backbone

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from wsloc.networks.network import Network

FORWARD = "forward pass"

Seconds = tuple[float, float]  # of the processor, of the clock


def main() -> None:
    """Measures, and prints the median ratio of each contender with its range."""
    options = _arguments()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    network = build_backbone(options.backbone).eval().to(memory_format=torch.channels_last)
    images = torch.randn(options.batch, 3, options.size, options.size)
    images = images.contiguous(memory_format=torch.channels_last)
    contenders = _own(network, images) | _torchcam(network, images) | _pytorch_grad_cam(network, images)
    rounds = _measure(contenders, options.repetitions)
    print(f"{options.backbone}, {options.batch} x {options.size} x {options.size}, {options.threads} threads")
    for unit, kind in enumerate(("processor", "clock")):
        forward = median(times[FORWARD][unit] for times in rounds)
        print(f"{FORWARD}: {forward:.2f} s by the {kind} (median of {options.repetitions})")
    print(f"{'median ratio and range, by the':32} {'processor':>20} {'clock':>20}")
    for name in contenders:
        columns = [_ratios(rounds, name, unit) for unit in range(2)]
        print(f"{name:32} {columns[0]:>20} {columns[1]:>20}")


def _ratios(rounds: list[dict[str, Seconds]], name: str, unit: int) -> str:
    forward = median(times[FORWARD][unit] for times in rounds)
    ratios = sorted(times[name][unit] / forward for times in rounds)
    return f"{median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def _measure(contenders: dict[str, Callable[[], object]], repetitions: int) -> list[dict[str, Seconds]]:
    """The times of every contender, a dict a round; the first round only warms up and is not counted."""
    order = list(contenders)
    shuffle = random.Random(0).shuffle
    rounds = []
    for _ in range(repetitions + 1):
        shuffle(order)
        rounds.append({name: _seconds(contenders[name]) for name in order})
    return rounds[1:]


def _seconds(contender: Callable[[], object]) -> Seconds:
    processor, clock = time.process_time(), time.perf_counter()
    contender()
    return time.process_time() - processor, time.perf_counter() - clock


def _own(network: Network, images: Tensor) -> dict[str, Callable[[], object]]:
    """The plain pass, a second time too (how far a ratio of 1 strays), and wsloc's maps."""

    def forward() -> Tensor:
        with torch.no_grad():
            return network(images)  # type: ignore[no-any-return]  # modules are untyped

    def shown(name: str, classes: int) -> Callable[[], Tensor]:
        kind = MAPS[name]
        asked = with_entropy_pooling(network) if kind.entropy_pooled else network

        def explain() -> Tensor:
            observation = asked.observe(images, differentiable=kind.needs_gradient)
            best = observation.logits.detach().topk(classes, dim=1).indices  # (N, P)
            return kind.activation_map(asked, observation, best)

        return explain

    return {
        FORWARD: forward,
        "forward pass, again": forward,
        "CAM, 1 class": shown("cam", 1),
        "CAM, 5 classes": shown("cam", 5),
        "Grad-CAM, 1 class": shown("gradcam", 1),
        "Grad-CAM, 5 classes": shown("gradcam", 5),
        "entropy-class, 1 class": shown("entropy-class", 1),
        "entropy-class, 5 classes": shown("entropy-class", 5),
        "entropy-top5": shown("entropy-top5", 5),
    }


def _torchcam(network: Network, images: Tensor) -> dict[str, Callable[[], object]]:
    if find_spec("torchcam") is None:
        return {}
    from torchcam.methods import GradCAM

    def explain() -> object:
        with GradCAM(network.model, "layer4") as extractor:
            scores = network.model(images)
            return extractor(scores.argmax(dim=1).tolist(), scores)

    return {"torchcam Grad-CAM, 1 class": explain}


def _pytorch_grad_cam(network: Network, images: Tensor) -> dict[str, Callable[[], object]]:
    if find_spec("pytorch_grad_cam") is None:
        return {}
    from pytorch_grad_cam import GradCAM

    def explain() -> object:
        with GradCAM(network.model, [network.model.get_submodule("layer4")]) as extractor:
            maps = extractor(images, None)  # of the best class
        network.zero_grad(set_to_none=True)
        return maps

    return {"pytorch-grad-cam, 1 class": explain}


if __name__ == "__main__":
    main()
