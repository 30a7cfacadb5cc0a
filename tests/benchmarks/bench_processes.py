"""Two processes of one thread each, under torchrun, against one process of two threads: images a second, as a ratio.

    PYTHONPATH=. python tests/benchmarks/bench_processes.py [--images 200] [--rounds 3] [--processes 2]

Generated JPEGs of 500 x 375, resnet50 with random weights, no overlays, on the CPU. Each round runs one after the
other; times are those of the manifests, without the start of Python and torch. The median of the rounds' ratios is
printed: above 1, several processes are faster. Meant for a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.benchmarks.bench_boxes import write_images  # noqa: E402 - below the path that it is found by


def seconds(images: Path, out: Path, options: argparse.Namespace, processes: int) -> float:
    """Of one run, as its manifest has it."""
    threads = options.processes // processes
    launcher = (
        ["-m", "wsloc"]
        if processes == 1
        else [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(processes),
            "-m",
            "wsloc",
        ]
    )
    command = [
        *(sys.executable, *launcher, "boxes", str(images), "--model", options.model, "--weights", "none"),
        *("-o", str(out), "--no-overlays", "--overwrite", "-q", "--device", "cpu"),
        *(() if options.workers is None else ("--workers", str(options.workers))),
    ]
    subprocess.run(
        command,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    return float(json.loads((out / "manifest.json").read_text())["seconds"])


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--workers", type=int, help="of each process; by default wsloc's own choice")
    parser.add_argument("--model", default="resnet50")
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as place:
        images = Path(place, "images")
        images.mkdir()
        write_images(images, options.images)
        for _ in range(options.rounds):
            one = seconds(images, Path(place, "one"), options, 1)
            several = seconds(images, Path(place, "several"), options, options.processes)
            ratios.append(one / several)
            print(
                f"one process, {options.processes} threads: {options.images / one:.1f} images/s; {options.processes} "
                f"processes, one thread each: {options.images / several:.1f} images/s; {ratios[-1]:.3f} x",
                flush=True,
            )
    print(f"median: {statistics.median(ratios):.3f} x")


if __name__ == "__main__":
    main()
