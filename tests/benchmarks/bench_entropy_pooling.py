"""Entropy Pooling's tables 1 and 4 in small: classification and localization error, several seeds a method.

    PYTHONPATH=. python tests/benchmarks/bench_entropy_pooling.py VAL --gap gap-?.pt --ep ep-?.pt --bew bew-?.pt

VAL is an annotated validation set; the checkpoints come from `wsloc train gap|ep|bew`, one a random seed. Box rules
are the maps' own: nothing is chosen on the boxes. Printed are the means over the seeds, in percent, and in brackets
the least and the largest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from wsloc.evaluator import evaluate_localization
from wsloc.loader import load

ROWS = (
    ("GAP (baseline)", "gap", "cam"),
    ("EP inference, lambda_c", "gap", "entropy-class"),
    ("EP inference, lambda_top5", "gap", "entropy-top5"),
    ("EP, lambda_c", "ep", "entropy-class"),
    ("EP, lambda_top5", "ep", "entropy-top5"),
    ("EP, CAM", "ep", "cam"),
    ("BEW + EP, lambda_c", "bew", "entropy-class"),
    ("BEW + EP, lambda_top5", "bew", "entropy-top5"),
    ("BEW + EP, CAM", "bew", "cam"),
)
COLUMNS = {
    "top1_classification_error": "Top-1 err, one view",
    "top5_classification_error": "Top-5 err, one view",
    "ten_crop_top1_classification_error": "Top-1 err, ten crops",
    "ten_crop_top5_classification_error": "Top-5 err, ten crops",
    "top1_localization_error": "Top-1 Loc err",
    "top5_localization_error": "Top-5 Loc err",
    "gt_known_localization_error": "GT-known err",
}
MAPS = ("cam", "entropy-class", "entropy-top5")


def figures(checkpoint: Path, validation: Path, options: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The figures of each map of a checkpoint, 0-1."""
    localizer = load(checkpoint, device="cpu", **options)
    evaluation = evaluate_localization(
        localizer, None, validation, maps=MAPS, ten_crop=True, batch_size=64, threshold_step=0.01
    )
    return {run.map: {key: run.metrics[key] for key in COLUMNS} for run in evaluation.report.runs}


def main() -> None:
    """Print the table, Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("validation", type=Path)
    for method in ("gap", "ep", "bew"):
        parser.add_argument(f"--{method}", type=Path, nargs="+", default=[])
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--output-stride", type=int)
    arguments = parser.parse_args()
    options = {"image_size": arguments.image_size, "output_stride": arguments.output_stride}
    found = {
        method: [figures(path, arguments.validation, options) for path in getattr(arguments, method)]
        for method in ("gap", "ep", "bew")
    }
    print(f"| | {' | '.join(COLUMNS.values())} |")
    print("| --- |" + " --- |" * len(COLUMNS))
    for words, method, name in ROWS:
        if not found[method]:
            continue
        cells = []
        for key in COLUMNS:
            values = 100 * np.array([seed[name][key] for seed in found[method]])
            cells.append(f"{values.mean():.1f} ({values.min():.1f} to {values.max():.1f})")
        print(f"| {words} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
