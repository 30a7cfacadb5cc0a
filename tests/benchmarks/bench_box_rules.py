"""Which map, box rule and view suits a checkpoint: GT-known error of a grid of settings on annotated images.

    PYTHONPATH=. python tests/benchmarks/bench_box_rules.py CHECKPOINT DATA/train --every 5

Choose on training images, whose boxes may serve for that, and score the validation set once, with `wsloc eval`.
Printed are every view's best rules, and how many settings were tried.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from tempfile import NamedTemporaryFile

from wsloc.evaluation.run_keys import BoxRule
from wsloc.evaluator import evaluate_localization
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.loader import load

MAPS = ("cam", "entropy-class")
RULES = (
    *(BoxRule("threshold", value) for value in (0.2, 0.25, 0.3, 0.35)),
    *(BoxRule("mass", value) for value in (0.98, 0.95, 0.9, 0.85, 0.8)),
    *(BoxRule("excess", value) for value in (0.1, 0.15, 0.2, 0.25, 0.3)),
)
# Scales of the checkpoint's own input, and input pixels a cell.
SCALES = ((1.0,), (0.75, 1.0), (1.0, 1.25), (0.75, 1.0, 1.25))
STRIDES = (8, 4)


def main() -> None:
    """Print the table, Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every N-th annotated image")
    arguments = parser.parse_args()
    samples = read_annotations(arguments.annotations)[:: arguments.every]
    print(f"{len(samples)} images, {len(MAPS) * len(RULES) * len(SCALES) * len(STRIDES)} settings\n")
    print("| scales | stride | best rules: GT-known error |")
    print("| --- | --- | --- |")
    with NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("".join(f"{sample.path}\n" for sample in samples))
        listing.flush()
        for scales, stride in product(SCALES, STRIDES):
            localizer = load(
                arguments.checkpoint, device="cpu", scales=scales, flip=True, output_stride=stride
            )
            evaluation = evaluate_localization(
                localizer,
                [f"@{listing.name}"],
                arguments.annotations,
                maps=MAPS,
                rules=RULES,
                batch_size=64,
                threshold_step=0.1,
            )
            found = sorted(
                (run.metrics["gt_known_localization_error"], f"{run.map}, {run.box}")
                for run in evaluation.report.runs
            )
            best = "; ".join(f"{words}: {error:.3f}" for error, words in found[:3])
            print(f"| {', '.join(map(str, scales))} | {stride} | {best} |", flush=True)


if __name__ == "__main__":
    main()
