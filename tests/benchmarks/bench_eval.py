"""What `wsloc eval` costs: a large predictions file, and the share of the network in a live run.

    python tests/benchmarks/bench_eval.py [--images 50000] [--live 64]

Run by hand, on an idle core. The predictions are five guesses an image, scored by the command in a process of its
own, whose wall time and peak memory are measured: about 1.6 boxes an image, as ImageNet's validation set has. A
live run is `evaluate_localization` with one map (entropy-class) and MaxBoxAcc's curves at 1,000 thresholds, over
generated scenes. The network's share is the time inside `Localizer.observe`, maps included, of the whole; scoring
goes on beside it, in a thread of its own, so that the two may add up to more than the whole.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.scenes import CLASSES, make_scene
from wsloc.evaluation.scores import Scores
from wsloc.evaluator import evaluate_localization
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.loader import load
from wsloc.localizer import Localizer

HEIGHT, WIDTH = 375, 500


def write_predictions(folder: Path, images: int) -> tuple[Path, Path]:
    """`predictions.jsonl` of five guesses a line, and Kaggle's CSV of 1.6 boxes an image."""
    random = np.random.default_rng(0)
    wnids = imagenet_classes().ids
    guesses, rows = folder / "predictions.jsonl", ["ImageId,PredictionString"]
    with guesses.open("w") as stream:
        for number in range(images):
            name = f"ILSVRC2012_val_{number + 1:08d}"
            low = random.uniform(0, 200, (7, 2))
            boxes = np.concatenate([low, low + random.uniform(20, 150, (7, 2))], axis=1).round(2).tolist()
            classes = random.choice(1000, 5, replace=False).tolist()
            truth = wnids[classes[number % 5]]
            entries = [
                {
                    "class_index": index,
                    "class_id": wnids[index],
                    "class_name": "",
                    "probability": 0.2,
                    "box": box,
                }
                for index, box in zip(classes, boxes[:5], strict=True)
            ]
            line = {
                "image": f"{name}.JPEG",
                "width": WIDTH,
                "height": HEIGHT,
                "map": "cam",
                "predictions": entries,
            }
            stream.write(json.dumps(line) + "\n")
            true = boxes[5 : 7 if number % 5 < 3 else 6]
            rows.append(
                f"{name}," + " ".join(f"{truth} {' '.join(str(int(x)) for x in box)}" for box in true)
            )
    table = folder / "LOC_val_solution.csv"
    table.write_text("\n".join(rows) + "\n")
    return guesses, table


def bench_predictions(images: int) -> None:
    """Wall time and peak memory of the command."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        guesses, table = write_predictions(folder, images)
        command = [sys.executable, "-m", "wsloc", "eval", "--annotations", str(table)]
        command += ["--predictions", str(guesses), "-o", str(folder / "out"), "--quiet"]
        start = perf_counter()
        process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"wsloc eval ended with {process.returncode}")
        boxes = images + images * 3 // 5
        print(
            f"{images:,} x 5 guesses, {boxes:,} boxes: {seconds:.1f} s, peak {usage.ru_maxrss / 1024**2:.2f} GB"
        )


def write_photographs(folder: Path, images: int, size: tuple[int, int], label: str) -> Path:
    """JPEGs of one object each in a folder, and a CSV with a box each; ten scenes, each stored many times."""
    rows = ["ImageId,PredictionString"]
    folder.mkdir()
    scenes = [
        make_scene(np.random.default_rng(seed), size, [seed % len(CLASSES)])
        for seed in range(min(10, images))
    ]
    for number in range(images):
        scene = scenes[number % len(scenes)]
        Image.fromarray(scene.picture).save(folder / f"{number}.jpg", quality=90)
        x0, y0, x1, y1 = scene.boxes[0][1]
        rows.append(f"{number},{label} {x0} {y0} {x1 - 1} {y1 - 1}")
    table = folder.with_suffix(".csv")
    table.write_text("\n".join(rows) + "\n")
    return table


def bench_live(name: str, localizer: Localizer, images: int, size: tuple[int, int]) -> None:
    """The share of network and maps in the time of a live run."""
    inside = dict.fromkeys(("network", "scoring"), 0.0)
    observe, score = Localizer.observe, Scores.add_maps

    def timed(key: str, function: Any) -> Any:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            start = perf_counter()
            result = function(*arguments, **named)
            inside[key] += perf_counter() - start
            return result

        return wrapped

    with TemporaryDirectory() as folder:
        table = write_photographs(Path(folder) / "images", images, size, localizer.classes.ids[0])
        try:
            Localizer.observe = timed("network", observe)  # type: ignore[method-assign]
            Scores.add_maps = timed("scoring", score)  # type: ignore[method-assign]
            start = perf_counter()
            evaluate_localization(
                localizer, [Path(folder) / "images"], table, maps=["entropy-class"], batch_size=8
            )
            seconds = perf_counter() - start
        finally:
            Localizer.observe, Scores.add_maps = observe, score  # type: ignore[method-assign]
    shares = ", ".join(f"{key} {spent / seconds:.0%}" for key, spent in inside.items())
    print(f"{name}: {images / seconds:.1f} images/s; {shares}")


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50_000, help="lines of predictions")
    parser.add_argument("--live", type=int, default=64, help="photographs of a live run")
    options = parser.parse_args()
    bench_predictions(options.images)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    resnet = load("resnet50", weights="none", device="cpu")
    bench_live("resnet50 at 224, random weights", resnet, options.live, (HEIGHT, WIDTH))
    bench_live("small_resnet at 64, the demo", load("demo", device="cpu"), options.live * 8, (64, 64))


if __name__ == "__main__":
    main()
