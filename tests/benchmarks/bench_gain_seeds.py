"""GAIN on the animals of Pascal VOC: tables 1, 3 and 4 of the paper in small, by the seeds themselves.

    PYTHONPATH=. python tests/benchmarks/bench_gain_seeds.py lists DATA FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_gain_seeds.py commands DATA FOLDER
    PYTHONPATH=. python tests/benchmarks/bench_gain_seeds.py score FOLDER [--part held-back] [--only NAME ...]

DATA is as tests/benchmarks/voc_animals.py describes it. `lists` writes FOLDER's train.csv, held-back.csv and dev.csv,
and boxes.json: the box of every connected part of a training mask. `commands` prints the trainings: a plain classifier
a seed, and what is fine-tuned from it. `score` prints classification mAP and the mIoU of cues, Grad-CAM above 20 % of
its maximum, for an image's own labels; means over the seeds, and each seed's.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from tests.benchmarks.voc_animals import ANIMALS, LEVELS, level_counts, mean_ious, truth_of, write_lists
from wsloc.inputs.annotations.labels_csv import read
from wsloc.inputs.loading import LoadedImage, load
from wsloc.inputs.masks import read_mask
from wsloc.loader import load as load_localizer
from wsloc.methods import MAPS
from wsloc.metrics.classification import ClassificationError
from wsloc.networks.map_operations import normalize_by_max
from wsloc.records import ImageFile

SEEDS = (0, 1, 2)
CUE = 0.2  # of a map's maximum
SMALLEST_PART = 25  # pixels: smaller specks of a mask have no box
SHARED = (
    "--backbone small_resnet --image-size 96 --batch-size 32 --optimizer adam --weight-decay 0 --precision bfloat16 "
    "--workers 0 --device cpu --resume"
)
# What is fine-tuned from each plain classifier, by the options that tell it from the others.
VARIANTS: dict[str, str] = {
    "control": "--mining-weight 0",
    "gain": "",
    "gain-paper": "--mining-weight 1 --share-mining-stream --first-order",
    "ext-p2": "--masks {data}/masks --extra-fraction 0.02",
    "ext-p10": "--masks {data}/masks --extra-fraction 0.1",
    "ext-b2": "--boxes {folder}/boxes.json --extra-fraction 0.02",
    "ext-b10": "--boxes {folder}/boxes.json --extra-fraction 0.1",
}


def write_boxes(data: Path, folder: Path) -> None:
    """FOLDER/boxes.json, COCO: a box around every connected part of an animal in a training mask."""
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for number, sample in enumerate(read(folder / "train.csv")):
        assert sample.path is not None
        mask = read_mask(data / "masks" / f"{sample.path.stem}.png")
        images.append(
            {"id": number, "file_name": sample.path.name, "width": mask.shape[1], "height": mask.shape[0]}
        )
        for value in ANIMALS:
            _, _, parts, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
            for left, top, width, height, area in parts[1:].tolist():
                if area >= SMALLEST_PART:
                    box = [left, top, width, height]
                    annotations.append(
                        {
                            "id": len(annotations),
                            "image_id": number,
                            "category_id": value,
                            "bbox": box,
                            "area": area,
                        }
                    )
    categories = [{"id": value, "name": name} for value, name in ANIMALS.items()]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "boxes.json").write_text(json.dumps(document), encoding="utf-8")
    print(f"{folder / 'boxes.json'}: {len(annotations)} boxes of {len(images)} images")


def print_commands(data: Path, folder: Path) -> None:
    """The trainings, one a line, the plain classifiers first."""
    for seed in SEEDS:
        print(
            f"wsloc train gap {folder}/train.csv -o {folder}/plain-{seed}.pt --init assets/trunk.pt --epochs 8 "
            f"--learning-rate 0.001 --random-seed {seed} {SHARED}"
        )
    for name, options in VARIANTS.items():
        for seed in SEEDS:
            print(
                f"wsloc train gain {folder}/train.csv -o {folder}/{name}-{seed}.pt --init {folder}/plain-{seed}.pt "
                f"--epochs 3 --learning-rate 0.0002 --warmup 0 --random-seed {seed} --watch 0 {SHARED} "
                f"{options.format(data=data, folder=folder)}".rstrip()
            )


def scored(checkpoint: Path, csv: Path) -> tuple[float, float]:
    """(mAP, mIoU of the cues), in percent, of a checkpoint on a list."""
    localizer = load_localizer(checkpoint, device="cpu")
    names, precision = localizer.classes.ids, ClassificationError(multi_label=True)
    totals = np.zeros((len(ANIMALS) + 2, len(ANIMALS) + 1, LEVELS + 1), np.int64)
    for sample in read(csv):
        assert sample.path is not None
        image = load(ImageFile(sample.image, sample.path), localizer.preprocessing, with_picture=False)
        assert isinstance(image, LoadedImage)
        inputs = localizer.preprocessing.normalized(torch.from_numpy(np.stack([image.pixels])))
        observation = localizer.network.observe(inputs, differentiable=True)
        index = torch.tensor([[names.index(label) for label in sample.labels]])
        targets = F.one_hot(index, len(names)).sum(dim=1).float()
        precision.update(observation.logits.detach().numpy(), targets.numpy())
        maps = MAPS["gradcam"].activation_map(localizer.network, observation, index)[0]
        totals += level_counts(normalize_by_max(maps), index[0], truth_of(sample, names))
    return 100 * (1 - precision.value()), 100 * mean_ious(totals)[round(CUE * LEVELS)]


def score(folder: Path, parts: list[str], only: list[str]) -> None:
    """Print the table, Markdown, of the checkpoints that are there."""
    header = " | ".join(f"mAP, {part} | mIoU, {part}" for part in parts)
    print(f"| | {header} |\n| --- |{' --- |' * 2 * len(parts)}")
    for name in only or ("plain", *VARIANTS):
        found = [folder / f"{name}-{seed}.pt" for seed in SEEDS if (folder / f"{name}-{seed}.pt").is_file()]
        if not found:
            continue
        cells = []
        for part in parts:
            rows = np.array([scored(checkpoint, folder / f"{part}.csv") for checkpoint in found])
            for column in rows.T:
                each = ", ".join(f"{value:.1f}" for value in column)
                cells.append(f"{column.mean():.1f} ({each})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run the step that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("lists", "commands"):
        step = steps.add_parser(name)
        step.add_argument("data", type=Path)
        step.add_argument("folder", type=Path)
    scores = steps.add_parser("score")
    scores.add_argument("folder", type=Path)
    scores.add_argument("--part", action="append", choices=("held-back", "dev"))
    scores.add_argument("--only", nargs="+", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.step == "lists":
        write_lists(arguments.data, arguments.folder)
        write_boxes(arguments.data, arguments.folder)
    elif arguments.step == "commands":
        print_commands(arguments.data, arguments.folder)
    else:
        score(arguments.folder, arguments.part or ["held-back", "dev"], arguments.only)


if __name__ == "__main__":
    main()
