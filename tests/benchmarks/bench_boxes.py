"""`wsloc boxes` against its bare parts, and its peak memory: ratios in one run.

    python tests/benchmarks/bench_boxes.py [--images 200] [--rounds 3] [--device cpu] [--precision NAME] [--no-memory]

Generated JPEGs of 500 x 375, resnet50 with random weights. Each round times, one after the other, the bare forward
loop (batches that are in memory already), boxes without overlays, the forward loop again, boxes with overlays, the
forward loop once more, the bare decode loop (the same worker processes, nobody using what comes), and forward and
decode in turn in one process. Boxes are compared with the mean of the forward loops before and after, so that a machine
whose speed drifts does not decide. Every round's ratios are printed, and their medians: against the slower of the bare
loops, and against both in turn.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from tests.scenes import CLASSES, make_scene
from wsloc.cli.running_options import default_workers
from wsloc.inputs.images import find_images
from wsloc.inputs.loading import LoadedImage, load, load_batches
from wsloc.loader import load as load_localizer
from wsloc.networks.precision import PRECISIONS, autocasting
from wsloc.request import Request
from wsloc.runner import RunOptions, run_boxes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile

BATCH = 16


def write_images(folder: Path, count: int) -> None:
    """`count` JPEGs of 500 x 375; ten scenes, each stored many times: decoding costs the same."""
    scenes = [
        make_scene(np.random.default_rng(seed), (375, 500), [seed % len(CLASSES)]).picture
        for seed in range(10)
    ]
    for number in range(count):
        Image.fromarray(scenes[number % len(scenes)]).save(folder / f"{number:04}.jpg", quality=90)


def inputs_of(localizer: Localizer, files: list[ImageFile]) -> Iterator[Tensor]:
    """Batches uint8 (N, H, W, 3), decoded in this process."""
    for first in range(0, len(files), BATCH):
        loaded = [
            load(file, localizer.preprocessing, with_picture=False) for file in files[first : first + BATCH]
        ]
        yield torch.from_numpy(np.stack([image.pixels for image in loaded if isinstance(image, LoadedImage)]))


def forward(localizer: Localizer, batches: Iterable[Tensor]) -> float:
    """Seconds of the forward passes over batches, and of whatever makes them."""
    start = time.perf_counter()
    with torch.inference_mode(), autocasting(localizer.device.type, localizer.autocast):
        for pixels in batches:
            localizer.network(localizer.preprocessing.normalized(pixels.to(localizer.device))).cpu()
    return time.perf_counter() - start


def decode(localizer: Localizer, files: list[ImageFile]) -> float:
    """Seconds of the worker processes alone."""
    start = time.perf_counter()
    for _ in load_batches(files, localizer.preprocessing, batch_size=BATCH, workers=default_workers()):
        pass
    return time.perf_counter() - start


def boxes(localizer: Localizer, files: list[ImageFile], folder: Path, *, overlays: bool) -> float:
    """Seconds of the command's run over the same images."""
    options = RunOptions(
        folder, overlays=overlays, batch_size=BATCH, workers=default_workers(), overwrite=True
    )
    start = time.perf_counter()
    run_boxes(localizer, files, Request(), options)
    return time.perf_counter() - start


def peak_memory(images: Path, count: int, folder: Path) -> int:
    """Peak resident size in KiB of the largest process of a `wsloc boxes` over the first `count` images."""
    names = folder / "list.txt"
    names.write_text("\n".join(str(path) for path in sorted(images.iterdir())[:count]))
    command = f"""
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "wsloc", "boxes", "@{names}", "--model", "resnet18", "--weights", "none",
                "-o", "{folder}/out", "-q", "--overwrite"], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
    answer = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True)
    return int(answer.stdout.split()[-1])


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=tuple(PRECISIONS))
    parser.add_argument("--no-memory", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        images = Path(place, "images")
        images.mkdir()
        write_images(images, max(500, arguments.images))
        files = find_images([images])[: arguments.images]
        localizer = load_localizer(
            "resnet50", weights=None, device=arguments.device, precision=arguments.precision
        )
        batches = list(inputs_of(localizer, files))
        forward(localizer, batches[:2])  # warm up
        times: dict[str, list[float]] = defaultdict(list)
        ratios: dict[str, list[float]] = defaultdict(list)
        for _ in range(arguments.rounds):
            alone = [forward(localizer, batches)]
            for name, overlays in (("plain", False), ("drawn", True)):
                times[name].append(boxes(localizer, files, Path(place, name), overlays=overlays))
                alone.append(forward(localizer, batches))
                ratios[name].append(times[name][-1] / statistics.mean(alone[-2:]))
            times["forward"] += alone
            times["decode"].append(decode(localizer, files))
            times["in turn"].append(forward(localizer, inputs_of(localizer, files)))
        for name in ("forward", "decode", "in turn"):
            rate = len(files) / statistics.median(times[name])
            print(f"bare {name}: {rate:.1f} images/s on {localizer.device}, {arguments.precision}")
        if statistics.median(times["decode"]) > statistics.median(times["forward"]):
            ratios = {name: list(map(truediv, times[name], times["decode"])) for name in ("plain", "drawn")}
        for name, words in (("plain", "without overlays"), ("drawn", "with overlays")):
            rounds = ", ".join(f"{ratio:.3f}" for ratio in ratios[name])
            in_turn = statistics.median(map(truediv, times[name], times["in turn"]))
            print(
                f"boxes {words}: {statistics.median(ratios[name]):.3f} x the slower bare loop ({rounds}), "
                f"{in_turn:.3f} x both in turn"
            )
        if arguments.no_memory:
            return
        few, many = (peak_memory(images, count, Path(place)) for count in (50, 500))
        print(
            f"peak memory: {few / 1024:.0f} MiB for 50 images, {many / 1024:.0f} MiB for 500: {many / few:.3f} x"
        )
        print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
