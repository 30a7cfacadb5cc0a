"""Seeds of RIB on the animals of Pascal VOC by the number of steps, and what an image costs.

    PYTHONPATH=. python tests/benchmarks/bench_ficklenet_seeds.py lists DATA FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_rib.py score FOLDER held-back CHECKPOINT... --rates 1e-4 1e-3
    PYTHONPATH=. python tests/benchmarks/bench_rib.py score FOLDER dev CHECKPOINT... --steps 0 2 5 10 --rates 1e-4
    PYTHONPATH=. python tests/benchmarks/bench_rib.py table FOLDER [--rate 1e-4] [--plot FILE]
    PYTHONPATH=. python tests/benchmarks/bench_rib.py cost FOLDER CHECKPOINT

`score` keeps what it counted in FOLDER/rib, one file a setting, and goes on where it was left; so `table` can be had
at any time. The learning rate is that of the last two stages, the classifier's ten times that, as the authors have
it. Seeds are the argmax of the image's own classes' maps and a constant background score: 0.2 of the maximum, or the
one that is best on the held-back images, for each K. mIoU is of one confusion matrix, background and five classes,
255 of the truth left out.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from tests.benchmarks.voc_animals import LEVELS, level_counts, mean_ious, truth_of
from wsloc.inputs.annotations.labels_csv import read
from wsloc.loader import load
from wsloc.methods.rib import FineTuning

if TYPE_CHECKING:
    from wsloc.localizer import Localizer
    from wsloc.records import Localization, Sample

Counts = npt.NDArray[np.int64]
CUE = LEVELS // 5  # 20 % of the maximum
COSTED = 20  # images that the cost is measured on


def counted(record: Localization, truth: npt.NDArray[np.uint8]) -> Counts:
    """Pixels of one image by truth, best class and its score's level."""
    assert record.activation_maps is not None
    return level_counts(torch.from_numpy(record.activation_maps), torch.tensor(record.class_indices), truth)


def localized(localizer: Localizer, sample: Sample) -> Localization:
    """RIB's maps of an image's own classes."""
    assert sample.path is not None
    return localizer.localize(sample.path, map="rib", classes=list(sample.labels))


def spread(samples: list[Sample], images: int) -> list[Sample]:
    """So many samples, evenly spaced in their list: dev's is in the order of years."""
    return samples[:: max(1, len(samples) // images)][:images]


def score(folder: Path, part: str, checkpoint: Path, settings: FineTuning, images: int) -> None:
    """Count so many images of a list under one setting, unless that was done before."""
    kept = kept_file(folder, part, checkpoint.stem, settings, images)
    if kept.is_file():
        return
    localizer = load(checkpoint, device="cpu", rib=settings)
    start = time.perf_counter()
    total = np.zeros((), np.int64)
    for sample in spread(read(folder / f"{part}.csv"), images):
        total = total + counted(localized(localizer, sample), truth_of(sample, localizer.classes.ids))
    kept.parent.mkdir(exist_ok=True)
    np.save(kept, total)
    figures = mean_ious(total)
    print(
        f"{kept.stem}: mIoU {100 * figures.max():.2f} at {figures.argmax() / LEVELS}, {100 * figures[CUE]:.2f} at 0.2, "
        f"{time.perf_counter() - start:.0f} s",
        flush=True,
    )


def kept_file(folder: Path, part: str, name: str, settings: FineTuning, images: int) -> Path:
    """Where the counts of a setting are kept; without steps there is no rate."""
    rate = settings.learning_rate if settings.steps else 0
    return folder / "rib" / f"{part}_{name}_{settings.sum}_{settings.steps}_{rate:g}_{images}.npy"


def asked(steps: int, rate: float, way: str = "normalized") -> FineTuning:
    """The setting of so many steps at a rate."""
    return FineTuning(steps=steps, learning_rate=rate, classifier_learning_rate=10 * rate, sum=way)


def kept_counts(folder: Path) -> dict[tuple[str, str, str, int, float], Counts]:
    """What was counted, by part, checkpoint, sum, K and rate."""
    found = {}
    for path in sorted((folder / "rib").glob("*.npy")):
        part, name, way, steps, rate, _ = path.stem.split("_")
        found[part, name, way, int(steps), float(rate)] = np.load(path)
    return found


def tables(folder: Path, rate: float | None, plot: Path | None) -> None:
    """Print what was counted: rates on the held-back images, then K on dev at the rate that is best there."""
    found = kept_counts(folder)
    print("| checkpoint | sum | K | learning rate | background | mIoU, held back | at 0.20 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (part, name, way, steps, used), total in sorted(found.items()):
        if part == "held-back":
            ious = 100 * mean_ious(total)
            print(
                f"| {name} | {way} | {steps} | {used:g} | {ious.argmax() / LEVELS:.2f} | {ious.max():.1f} | "
                f"{ious[CUE]:.1f} |"
            )
    rates = {
        key[4]: mean_ious(total).max()
        for key, total in found.items()
        if key[0] == "held-back" and key[3] == 10
    }
    best = rate or max(rates, key=rates.__getitem__)
    print(
        f"\n| checkpoint | K | background | mIoU, held back | mIoU, dev | mIoU, dev, at 0.20 | (rate {best:g})"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    lines: dict[str, dict[int, tuple[float, float]]] = {}
    for (part, name, way, steps, used), total in sorted(found.items()):
        held = found.get(("held-back", name, way, steps, used))
        if part != "dev" or held is None or used not in (0, best) or way != "normalized":
            continue
        level, dev = int(mean_ious(held).argmax()), 100 * mean_ious(total)
        lines.setdefault(name, {})[steps] = dev[level], dev[CUE]
        print(
            f"| {name} | {steps} | {level / LEVELS:.2f} | {100 * mean_ious(held).max():.1f} | {dev[level]:.1f} | "
            f"{dev[CUE]:.1f} |"
        )
    if plot is not None:
        draw(lines, best, plot)


def draw(lines: dict[str, dict[int, tuple[float, float]]], rate: float, plot: Path) -> None:
    """mIoU on dev against K, a line a checkpoint and one for their mean."""
    mpl.use("agg")
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    steps = sorted(set.intersection(*(set(line) for line in lines.values())))
    for column, (colour, words) in enumerate((("C0", "chosen on held-back images"), ("C1", "0.20"))):
        every = np.array([[line[count][column] for count in steps] for line in lines.values()])
        for row in every:
            axes.plot(steps, row, color=colour, alpha=0.3, linewidth=1)
        label = f"background score {words}, mean of {len(every)} networks"
        axes.plot(steps, every.mean(axis=0), color=colour, marker="o", label=label)
    axes.set(xlabel="K, steps of fine-tuning an image", ylabel="mIoU of seeds on dev, %", xticks=steps)
    axes.set_title(f"RIB, small_resnet, learning rate {rate:g}, no other images", fontsize=10)
    axes.legend(fontsize=8)
    figure.savefig(plot, dpi=100)


def cost(folder: Path, checkpoint: Path) -> None:
    """Seconds an image of CAM, CAM over RIB's views, and RIB."""
    samples = spread(read(folder / "dev.csv"), COSTED)
    print("| map | K | s an image | to CAM over 8 views |")
    print("| --- | --- | --- | --- |")
    settings = replace(FineTuning(), stop_share=1.0)  # no image is done early
    base = 0.0
    rows = [("CAM, one view", replace(settings, steps=0, scales=(1.0,), flip=False))]
    rows += [("RIB" if steps else "CAM, 8 views", replace(settings, steps=steps)) for steps in (0, 2, 5, 10)]
    seconds = []
    for _, row in rows:
        localizer = load(checkpoint, device="cpu", rib=row)
        localized(localizer, samples[0])
        start = time.perf_counter()
        for sample in samples:
            localized(localizer, sample)
        seconds.append((time.perf_counter() - start) / len(samples))
    base = seconds[1]
    for (name, row), taken in zip(rows, seconds, strict=True):
        print(f"| {name} | {row.steps} | {taken:.3f} | {taken / base:.1f} |")


def main() -> None:
    """Run the step that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    scoring = steps.add_parser("score")
    scoring.add_argument("folder", type=Path)
    scoring.add_argument("part")
    scoring.add_argument("checkpoints", type=Path, nargs="+")
    scoring.add_argument("--steps", type=int, nargs="+", default=[10])
    scoring.add_argument("--rates", type=float, nargs="+", default=[8e-6])
    scoring.add_argument("--sum", default="normalized")
    scoring.add_argument("--images", type=int, default=100)
    table = steps.add_parser("table")
    table.add_argument("folder", type=Path)
    table.add_argument("--rate", type=float)
    table.add_argument("--plot", type=Path)
    costs = steps.add_parser("cost")
    costs.add_argument("folder", type=Path)
    costs.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "table":
        tables(arguments.folder, arguments.rate, arguments.plot)
    elif arguments.step == "cost":
        cost(arguments.folder, arguments.checkpoint)
    else:
        for checkpoint in arguments.checkpoints:
            for count in arguments.steps:
                for rate in arguments.rates:
                    settings = asked(count, rate, arguments.sum)
                    score(arguments.folder, arguments.part, checkpoint, settings, arguments.images)


if __name__ == "__main__":
    main()
