"""`wsloc boxes` against a bare loop of decode + resize + forward, and its peak memory: ratios in one run.

    python tests/benchmarks/bench_boxes.py [--images 200] [--rounds 3] [--device cpu]

Generated JPEGs of 500 x 375, resnet50 with random weights, float32. Each round times the bare loop, boxes
without overlays and boxes with overlays one after the other; the medians of the rounds' ratios are printed.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from tests.scenes import CLASSES, make_scene
from wsloc.cli.options import default_workers
from wsloc.inputs.images import find_images
from wsloc.inputs.loading import LoadedImage, load
from wsloc.loader import load as load_localizer
from wsloc.request import Request
from wsloc.runner import RunOptions, run_boxes

if TYPE_CHECKING:
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


def bare(localizer: Localizer, files: list[ImageFile]) -> float:
    """Seconds of decode + resize + forward, one batch after the other, in this process."""
    start = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, len(files), BATCH):
            loaded = [
                load(file, localizer.preprocessing, with_picture=False)
                for file in files[first : first + BATCH]
            ]
            pixels = np.stack([image.pixels for image in loaded if isinstance(image, LoadedImage)])
            inputs = localizer.preprocessing.normalized(torch.from_numpy(pixels).to(localizer.device))
            localizer.network(inputs).cpu()
    return time.perf_counter() - start


def boxes(localizer: Localizer, files: list[ImageFile], folder: Path, *, overlays: bool) -> float:
    """Seconds of the command's run over the same images."""
    options = RunOptions(folder, overlays=overlays, batch_size=BATCH, workers=default_workers())
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
                "-o", "{folder}/out", "-q"], check=True)
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
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        images = Path(place, "images")
        images.mkdir()
        write_images(images, max(500, arguments.images))
        files = find_images([images])[: arguments.images]
        localizer = load_localizer("resnet50", weights=None, device=arguments.device)
        bare(localizer, files[: 2 * BATCH])  # warm up
        plain, drawn, seconds = [], [], []
        for _ in range(arguments.rounds):
            loop = bare(localizer, files)
            plain.append(boxes(localizer, files, Path(place, "plain"), overlays=False) / loop)
            drawn.append(boxes(localizer, files, Path(place, "drawn"), overlays=True) / loop)
            seconds.append(loop)
        print(f"bare loop: {len(files) / statistics.median(seconds):.1f} images/s on {localizer.device}")
        print(f"boxes without overlays: {statistics.median(plain):.3f} x the bare loop")
        print(f"boxes with overlays:    {statistics.median(drawn):.3f} x the bare loop")
        few, many = (peak_memory(images, count, Path(place)) for count in (50, 500))
        print(
            f"peak memory: {few / 1024:.0f} MiB for 50 images, {many / 1024:.0f} MiB for 500: {many / few:.3f} x"
        )
        print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
