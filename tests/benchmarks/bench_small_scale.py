"""GT-known localization error of small networks on Tiny ImageNet's validation boxes, with paired intervals.

    python tests/benchmarks/bench_small_scale.py DATA ep-0.pt ep-1.pt ep-2.pt --gap gap-0.pt gap-1.pt gap-2.pt

DATA is a folder in Tiny ImageNet's layout. The checkpoints come from `wsloc train ep|gap DATA/train`, one pair
for each random seed; no setting is chosen on the validation boxes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsloc.inputs.annotations.formats import read_annotations
from wsloc.loader import load
from wsloc.metrics.localization import best_iou, paired_bootstrap
from wsloc.records import ImageFile, Localization, Sample
from wsloc.request import Request

Wrong = npt.NDArray[np.bool_]


def wrong(checkpoint: Path, samples: list[Sample], map_name: str) -> Wrong:
    """Which images (N,) have no right box for their true class, under the map's own default box rule."""
    localizer = load(checkpoint, device="cpu")
    labels = {
        sample.image: tuple(localizer.classes.ids.index(label) for label in sample.labels)
        for sample in samples
    }
    shared = map_name in {"entropy", "entropy-top5"}
    request = Request(map=map_name, classes=1 if shared else labels)
    files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
    batches = localizer.localize_files(files, request, batch_size=64, workers=1)
    records = [record for batch in batches for record in batch]
    boxes = [record.predictions[0].box for record in records if isinstance(record, Localization)]
    return best_iou(boxes, [[box for _, box in sample.boxes] for sample in samples]) < 0.5


def top1_error(checkpoint: Path, samples: list[Sample]) -> float:
    """Fraction of images whose best class is not the true one."""
    localizer = load(checkpoint, device="cpu")
    files = [ImageFile(sample.image, sample.path) for sample in samples if sample.path is not None]
    batches = localizer.localize_files(files, Request(map="cam"), batch_size=64, workers=1)
    records = [record for batch in batches for record in batch]
    return float(
        np.mean(
            [
                isinstance(record, Localization) and record.predictions[0].class_id not in sample.labels
                for record, sample in zip(records, samples, strict=True)
            ]
        )
    )


def main() -> None:
    """Print the table, Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("ep", type=Path, nargs="+")
    parser.add_argument("--gap", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    samples = read_annotations(arguments.data / "val")
    rows: dict[str, Wrong] = {
        name: np.stack([wrong(path, samples, map_name) for path in paths])
        for name, paths, map_name in (
            ("GAP + CAM at 20 %", arguments.gap, "cam"),
            ("GAP + EP inference, lambda_c at 98 %", arguments.gap, "entropy-class"),
            ("EP + lambda_c at 98 %", arguments.ep, "entropy-class"),
            ("EP + lambda_top5 at 98 %", arguments.ep, "entropy-top5"),
            ("EP + CAM at 20 %", arguments.ep, "cam"),
            ("EP + Grad-CAM at 20 %", arguments.ep, "gradcam"),
        )
    }
    whole = best_iou(
        [(0, 0, 64, 64)] * len(samples), [[box for _, box in sample.boxes] for sample in samples]
    )
    baseline = rows["GAP + CAM at 20 %"]
    print("| map and box rule | GT-known error, mean | a seed | minus GAP + CAM, 95 % interval |")
    print("| --- | --- | --- | --- |")
    print(f"| whole image | {(whole < 0.5).mean():.3f} | | |")
    for name, errors in rows.items():
        mean, lower, upper = paired_bootstrap(errors, baseline)
        difference = "" if errors is baseline else f"{mean:+.3f} ({lower:+.3f} to {upper:+.3f})"
        seeds = " ".join(f"{seed:.3f}" for seed in errors.mean(axis=1))
        print(f"| {name} | {errors.mean():.3f} | {seeds} | {difference} |")
    for name, paths in (("GAP", arguments.gap), ("EP", arguments.ep)):
        print(
            f"\nTop-1 classification error, {name}: {' '.join(f'{top1_error(path, samples):.3f}' for path in paths)}"
        )


if __name__ == "__main__":
    main()
