"""Seeds of RIB on the animals of Pascal VOC by the number of steps, and what an image costs.

    PYTHONPATH=. python tests/benchmarks/bench_ficklenet_seeds.py lists DATA FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_rib.py score FOLDER held-back CHECKPOINT... --rates 1e-4 1e-3
    PYTHONPATH=. python tests/benchmarks/bench_rib.py score FOLDER dev CHECKPOINT... --steps 0 2 5 10 --rates 1e-4
    PYTHONPATH=. python tests/benchmarks/bench_rib.py table FOLDER [--plot FILE]
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
VIEWS = "CAM, RIB's 8 views"
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


def tables(folder: Path, plot: Path | None) -> None:
    """Print what was counted: settings on the held-back images; then dev, for those that were scored on both."""
    found = kept_counts(folder)
    print("| checkpoint | sum | learning rate | K | background | mIoU, held back | at 0.20 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for (part, name, way, steps, rate), total in sorted(found.items(), key=in_order):
        if part == "held-back":
            ious = 100 * mean_ious(total)
            best, at_cue = ious.argmax() / LEVELS, ious[CUE]
            print(f"| {setting(name, way, rate, steps)} | {best:.2f} | {ious.max():.1f} | {at_cue:.1f} |")
    print("\n| checkpoint | sum | learning rate | K | background | mIoU, dev | at 0.20 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    lines: dict[float, dict[str, dict[int, float]]] = {}
    for (part, name, way, steps, rate), total in sorted(found.items(), key=in_order):
        held = found.get(("held-back", name, way, steps, rate))
        if part != "dev" or held is None:
            continue
        level, dev = int(mean_ious(held).argmax()), 100 * mean_ious(total)
        if way == "normalized":
            lines.setdefault(rate, {}).setdefault(name, {})[steps] = dev[level]
        print(
            f"| {setting(name, way, rate, steps)} | {level / LEVELS:.2f} | {dev[level]:.1f} | {dev[CUE]:.1f} |"
        )
    if plot is not None:
        draw(lines, plot)


def setting(name: str, way: str, rate: float, steps: int) -> str:
    """Cells of a row; without steps there is no rate."""
    return f"{name} | {way} | {f'{rate:g}' if rate else ''} | {steps}"


def in_order(item: tuple[tuple[str, str, str, int, float], Counts]) -> tuple[str, str, float, int]:
    """By checkpoint, sum, rate and K."""
    _, name, way, steps, rate = item[0]
    return name, way, rate, steps


def draw(lines: dict[float, dict[str, dict[int, float]]], plot: Path) -> None:
    """mIoU on dev against K: for each rate the mean of the networks, and each of them."""
    mpl.use("agg")
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    start = {name: row[0] for name, row in lines.pop(0).items()}
    every = sorted({steps for rows in lines.values() for row in rows.values() for steps in row})
    for number, (rate, rows) in enumerate(sorted(lines.items())):
        whole = {name: row for name, row in rows.items() if set(every) <= set(row)}
        values = np.array([[start[name], *(row[steps] for steps in every)] for name, row in whole.items()])
        if not len(values):
            continue
        axes.plot([0, *every], values.T, color=f"C{number}", alpha=0.3, linewidth=1)
        label = f"learning rate {rate:g}, mean of {len(values)} network{'s' * (len(values) > 1)}"
        axes.plot([0, *every], values.mean(axis=0), color=f"C{number}", marker="o", label=label)
    axes.set(xlabel="K, steps of fine-tuning an image", ylabel="mIoU of seeds on dev, %", xticks=[0, *every])
    axes.legend(fontsize=8)
    figure.savefig(plot, dpi=100)


def cost(folder: Path, checkpoint: Path) -> None:
    """Processor seconds an image, on one thread, of CAM, CAM over RIB's views, and RIB without an early end."""
    torch.set_num_threads(1)
    samples = spread(read(folder / "dev.csv"), COSTED)
    settings = replace(FineTuning(), stop_share=1.0)
    rows = {"CAM, one view": replace(settings, steps=0, scales=(1.0,), flip=False)}
    rows |= {
        f"RIB, K = {steps}" if steps else VIEWS: replace(settings, steps=steps) for steps in (0, 2, 5, 10)
    }
    seconds = {}
    for name, row in rows.items():
        localizer = load(checkpoint, device="cpu", rib=row)
        localized(localizer, samples[0])
        start = time.process_time()
        for sample in samples:
            localized(localizer, sample)
        seconds[name] = (time.process_time() - start) / len(samples)
    print("| map | s an image | to CAM over 8 views |")
    print("| --- | --- | --- |")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.3f} | {taken / seconds[VIEWS]:.1f} |")


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
    table.add_argument("--plot", type=Path)
    costs = steps.add_parser("cost")
    costs.add_argument("folder", type=Path)
    costs.add_argument("checkpoint", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "table":
        tables(arguments.folder, arguments.plot)
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
