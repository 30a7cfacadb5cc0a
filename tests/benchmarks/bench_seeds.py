"""From maps to seed files, without the network: time an image, and memory by the number of images.

    PYTHONPATH=. python tests/benchmarks/bench_seeds.py

Images of 224 x 224 pixels with one class or two, maps from grids of 7 x 7 at the input's size. Time is that of 1,000
images with `--format png,gray`; peak memory, of processes of their own, that of 100 and of 10,000 images with
`--format png,gray,sec,coco`, the pickle and the JSON assembled.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from wsloc.outputs.run_results import RunResults
from wsloc.outputs.seed_files.layout import SEEDS
from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.records import Classes
from wsloc.regions.seed_rules import parse_background, parse_foreground
from wsloc.running.carrying import carry_out
from wsloc.running.journal import copy_lines
from wsloc.running.shards import count_batches
from wsloc.running.stages import Stages
from wsloc.seeder import make_batches, record_seeds
from wsloc.seeding.finishing import finish_seeds
from wsloc.seeding.making import SeedMaker
from wsloc.seeding.observing import ImageMaps
from wsloc.seeding.request import SeedPlan
from wsloc.seeding.writing import SeedWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from wsloc.running.recording import Progress
    from wsloc.running.unfinished import Work

SIDE, BATCH = 224, 16
NAMES = tuple(f"class-{number}" for number in range(20))


def maps(generator: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
    """Maps (P, 224, 224), smooth, 0-1."""
    cells = generator.random((count, 7, 7), np.float32) ** 3
    return np.stack([cv2.resize(cell, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for cell in cells])


def batches(count: int) -> Iterator[list[ImageMaps]]:
    """Batches of 16 images' maps; their content repeats."""
    generator = np.random.default_rng(0)
    kinds = [maps(generator, 1 + number % 2) for number in range(2 * BATCH)]
    for start in range(0, count, BATCH):
        yield [
            ImageMaps(
                f"images/{number:06}.jpg",
                (SIDE, SIDE),
                None,
                tuple(range(number % 10, number % 10 + 1 + number % 2)),
                (0.9,) * (1 + number % 2),
                kinds[number % len(kinds)],
            )
            for number in range(start, min(start + BATCH, count))
        ]


def run(count: int, formats: tuple[str, ...], folder: Path) -> float:
    """Seconds for so many images, data set files included."""
    plan = SeedPlan("cam", parse_foreground("max:0.2"), parse_background("confidence:0.35,0.17"))
    numbering = Numbering.of(Classes(NAMES, NAMES))
    writer = SeedWriter(folder, formats, numbering)

    def record(work: Work, progress: Progress) -> None:
        made = make_batches(batches(count), SeedMaker(plan), numbering, Stages())
        record_seeds(work, made, writer, progress, overlays=False, stages=Stages())

    def join(work: Work) -> None:
        finish_seeds(folder, copy_lines(work.entries()), numbering, formats)

    start = time.perf_counter()
    carry_out(
        folder,
        {"command": "seeds", "images": count, "batch_size": BATCH},
        RunResults(SEEDS, folder, None, frozenset()),
        batches=range(count_batches(count, BATCH)),
        record=record,
        join=join,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print time and memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", type=int, metavar="IMAGES", help="print the peak of this process instead")
    count = parser.parse_args().memory
    with tempfile.TemporaryDirectory() as place:
        if count is not None:
            run(count, ("png", "gray", "sec", "coco"), Path(place) / "out")
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            return
        run(64, ("png", "gray"), Path(place) / "warm")
        busy = time.process_time()
        seconds = run(1000, ("png", "gray"), Path(place) / "out")
        busy = time.process_time() - busy
    print(
        f"map to file, 1,000 images, png and gray: {seconds:.1f} ms an image, {busy:.1f} ms of it computing"
    )
    for images in (100, 10_000):
        command = [sys.executable, __file__, "--memory", str(images)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"peak memory, {images:,} images, png, gray, sec and coco: {int(done.stdout) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
