"""Seeds of FickleNet on the animals of Pascal VOC: the modes of the paper's table 6, and its figure 5b.

    PYTHONPATH=. python tests/benchmarks/bench_ficklenet_seeds.py lists DATA FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_ficklenet_seeds.py commands FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_ficklenet_seeds.py score FOLDER [--plot FILE]

DATA holds images/, masks/ (VOC's indices), train.txt and dev.txt. `lists` writes FOLDER's train.csv, held-back.csv and
dev.csv: an image's labels are the animals in its mask, and of the mask nothing else is looked at in training; 300
images of train.txt are held back. `commands` prints the trainings. `score` scores the seeds of the checkpoints that
are there: score maps of each image's own labels against a constant background score, which is chosen on the held-back
images, one a row of the tables; then dev is scored, once. mIoU is of one confusion matrix, background and five
classes, 255 of the truth left out. It is no figure of a trained segmentation network, as the paper's are.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from tests.benchmarks.voc_animals import LEVELS, level_counts, mean_ious, truth_of, write_lists
from wsloc.inputs.annotations.labels_csv import read
from wsloc.inputs.loading import LoadedImage, load
from wsloc.loader import load as load_localizer
from wsloc.localizer import Localizer
from wsloc.methods import MAPS
from wsloc.methods.ficklenet import Drawing, FickleNetwork, aggregated
from wsloc.metrics.classification import ClassificationError
from wsloc.networks.map_operations import normalize_by_max
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from wsloc.networks.network import Observation

TRAININGS = {
    "gap": "gap",
    "stochastic": "ficklenet --train-mode stochastic",
    "deterministic": "ficklenet --train-mode deterministic",
    "general": "ficklenet --train-mode general --infer-mode general",
}
COUNTS = (1, 5, 20, 50, 200)
# Table 6, row by row: of which training, inferred how.
MODES = (
    ("general", "general"),
    ("general", "stochastic"),
    ("general", "deterministic"),
    ("stochastic", "stochastic"),
    ("stochastic", "deterministic"),
    ("deterministic", "deterministic"),
    ("deterministic", "stochastic"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """An image through a trunk: what every map of it is made of, and its truth."""

    observation: Observation  # of one image
    class_index: Tensor  # (1, P), its labels
    truth: npt.NDArray[np.uint8]  # (H, W): 0 background, class index + 1, 255 left out


@torch.no_grad()
def look(localizer: Localizer, csv: Path) -> tuple[list[Seen], float]:
    """Every image of a list through the trunk, once; and the mean average precision of the classifier."""
    names, found = localizer.classes.ids, list[Seen]()
    precision = ClassificationError(multi_label=True)
    for sample in read(csv):
        assert sample.path is not None
        image = load(ImageFile(sample.image, sample.path), localizer.preprocessing, with_picture=False)
        assert isinstance(image, LoadedImage)
        inputs = localizer.preprocessing.normalized(torch.from_numpy(np.stack([image.pixels])))
        own = localizer.network.observe(inputs, differentiable=False)
        index = torch.tensor([[names.index(label) for label in sample.labels]])
        targets = F.one_hot(index, len(names)).sum(dim=1).numpy()
        precision.update(own.logits.numpy(), targets.astype(np.float32))
        keyed = replace(own, draw_keys=((image.key, 10**6, 0),))
        found.append(Seen(keyed, index, truth_of(sample, names)))
    return found, 1 - precision.value()


def score_maps(localizer: Localizer, seen: Seen) -> dict[str, Tensor]:
    """The maps (P, h, w) of an image, 0-1, by the name of their aggregate."""
    network = localizer.network
    if not isinstance(network, FickleNetwork):
        cam = MAPS["cam"].activation_map(network, seen.observation, seen.class_index)
        return {"": normalize_by_max(cam)[0]}
    maximum, mean = aggregated(network, seen.observation, seen.class_index)
    one = network.drawing.mode == "deterministic"
    return {"": maximum[0]} if one else {"maximum": maximum[0], "mean": mean[0]}


@torch.no_grad()
def counts(localizer: Localizer, images: list[Seen]) -> dict[str, npt.NDArray[np.int64]]:
    """Pixels by truth, best class and its score's level: (7, 6, LEVELS + 1), an aggregate."""
    totals: dict[str, npt.NDArray[np.int64]] = {}
    for seen in images:
        for name, maps in score_maps(localizer, seen).items():
            found = level_counts(maps, seen.class_index[0], seen.truth)
            totals[name] = totals[name] + found if name in totals else found
    return totals


Looked = dict[str, tuple[Localizer, dict[str, list[Seen]], float]]


def rows_of(looked: Looked, training: str, drawing: Drawing | None) -> list[tuple[str, float, float, float]]:
    """(aggregate, background score, mIoU held back, mIoU on dev) of a checkpoint under a drawing."""
    localizer, parts, _ = looked[training]
    if drawing is not None:
        assert isinstance(localizer.network, FickleNetwork)
        localizer.network.drawing = drawing
    held_back, dev = (counts(localizer, parts[part]) for part in ("held-back", "dev"))
    rows = []
    for name, found in held_back.items():
        figures = mean_ious(found)
        level = int(figures.argmax())
        rows.append((name, level / LEVELS, figures[level], mean_ious(dev[name])[level]))
    return rows


def score(folder: Path, plot: Path | None) -> None:
    """Print the tables, Markdown, of the checkpoints that are there."""
    looked: Looked = {}
    for name in TRAININGS:
        if (folder / f"{name}.pt").is_file():
            localizer = load_localizer(folder / f"{name}.pt", device="cpu")
            both = {part: look(localizer, folder / f"{part}.csv") for part in ("held-back", "dev")}
            looked[name] = (localizer, {part: seen for part, (seen, _) in both.items()}, both["dev"][1])
    print("| training | inference | aggregate | background | mIoU, held back | mIoU, dev | mAP, dev |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for training, mode in (("gap", "CAM"), *MODES):
        if training in looked:
            drawing = None if training == "gap" else Drawing(mode=mode)
            for aggregate, level, held_back, dev in rows_of(looked, training, drawing):
                figures = f"{level:.2f} | {100 * held_back:.1f} | {100 * dev:.1f} | {looked[training][2]:.3f}"
                print(f"| {training} | {mode} | {aggregate} | {figures} |")
    if "stochastic" in looked:
        curve(looked, plot)


def curve(looked: Looked, plot: Path | None) -> None:
    """Figure 5b: mIoU by the number of draws, as a table and a plot."""
    print("\n| draws | aggregate | background | mIoU, held back | mIoU, dev |")
    print("| --- | --- | --- | --- | --- |")
    lines: dict[str, list[float]] = {}
    for count in COUNTS:
        for aggregate, level, held_back, dev in rows_of(looked, "stochastic", Drawing(draws=count)):
            lines.setdefault(aggregate, []).append(100 * dev)
            print(f"| {count} | {aggregate} | {level:.2f} | {100 * held_back:.1f} | {100 * dev:.1f} |")
    if plot is None:
        return
    mpl.use("agg")
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for aggregate, values in lines.items():
        axes.plot(COUNTS, values, marker="o", label=f"stochastic, {aggregate} of the draws")
    expected = rows_of(looked, "stochastic", Drawing(mode="deterministic"))[0][3]
    axes.axhline(100 * expected, color="gray", linestyle="--", label="the same network, expected mask")
    if "gap" in looked:
        axes.axhline(100 * rows_of(looked, "gap", None)[0][3], color="black", linestyle=":", label="GAP, CAM")
    axes.set(
        xscale="log", xticks=COUNTS, xticklabels=COUNTS, xlabel="draws", ylabel="mIoU of seeds on dev, %"
    )
    axes.minorticks_off()
    axes.legend()
    figure.savefig(plot, dpi=120)


def print_commands(folder: Path) -> None:
    """The trainings, one a line."""
    common = (
        "--init assets/trunk.pt --backbone small_resnet --image-size 128 --epochs 8 --batch-size 32 --optimizer adam "
        "--learning-rate 0.001 --weight-decay 0 --precision bfloat16 --workers 0 --device cpu --resume"
    )
    for name, method in TRAININGS.items():
        first, _, rest = method.partition(" ")
        print(
            f"wsloc train {first} {folder}/train.csv -o {folder}/{name}.pt {rest} {common}".replace("  ", " ")
        )


def main() -> None:
    """Run the step that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    lists = steps.add_parser("lists")
    lists.add_argument("data", type=Path)
    lists.add_argument("folder", type=Path)
    commands = steps.add_parser("commands")
    commands.add_argument("folder", type=Path)
    scores = steps.add_parser("score")
    scores.add_argument("folder", type=Path)
    scores.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    if arguments.step == "lists":
        write_lists(arguments.data, arguments.folder)
    elif arguments.step == "commands":
        print_commands(arguments.folder)
    else:
        score(arguments.folder, arguments.plot)


if __name__ == "__main__":
    main()
