"""Seeds of FickleNet on the animals of Pascal VOC: the modes of the paper's table 6, and its figure 5b.

    python tests/benchmarks/bench_ficklenet_seeds.py lists DATA FOLDER
    python tests/benchmarks/bench_ficklenet_seeds.py commands FOLDER

DATA holds images/, masks/ (VOC's indices), train.txt and dev.txt. `lists` writes FOLDER's train.csv, held-back.csv and
dev.csv: an image's labels are the animals in its mask, and of the mask nothing else is looked at in training; 300
images of train.txt are held back. `commands` prints the trainings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from wsloc.inputs.masks import read_mask

ANIMALS = {8: "cat", 10: "cow", 12: "dog", 13: "horse", 17: "sheep"}  # VOC's index -> name
HELD_BACK = 300
TRAININGS = {
    "gap": "gap",
    "stochastic": "ficklenet --train-mode stochastic",
    "deterministic": "ficklenet --train-mode deterministic",
    "general": "ficklenet --train-mode general --infer-mode general",
}


def write_lists(data: Path, folder: Path) -> None:
    """The three CSVs of image labels."""
    train = (data / "train.txt").read_text().split()
    order = np.random.default_rng(0).permutation(len(train))
    parts = {
        "train": [train[place] for place in order[:-HELD_BACK]],
        "held-back": [train[place] for place in order[-HELD_BACK:]],
        "dev": (data / "dev.txt").read_text().split(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for part, names in parts.items():
        lines = ["image,label"]
        for name in names:
            present = np.unique(read_mask(data / "masks" / f"{name}.png"))
            labels = [word for index, word in ANIMALS.items() if index in present]
            if labels:
                lines.append(f"{(data / 'images' / name).resolve()}.jpg,{';'.join(labels)}")
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")
        print(f"{folder / part}.csv: {len(lines) - 1} of {len(names)} images")


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
    arguments = parser.parse_args()
    if arguments.step == "lists":
        write_lists(arguments.data, arguments.folder)
    else:
        print_commands(arguments.folder)


if __name__ == "__main__":
    main()
