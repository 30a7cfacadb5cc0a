"""What runs of wsloc leave behind: predictions, seed logs, manifests, shards and the journals of interrupted runs."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzzing.annotated import write
from wsloc.errors import DataError
from wsloc.outputs.boxes_layout import BOXES
from wsloc.outputs.manifest import read_manifest
from wsloc.outputs.predictions import read_predictions
from wsloc.outputs.run_results import RunResults, earlier_pictures
from wsloc.outputs.seed_files.layout import SEEDS
from wsloc.outputs.seed_files.run_lengths import encode
from wsloc.outputs.seed_files.seed_log import SeedLine, read_seed_log
from wsloc.outputs.shard_folders import read_shards, whole_identity
from wsloc.records import ImageFile
from wsloc.running.identity import run_differences
from wsloc.running.journal import Journal, copy_lines, read_entries, read_images
from wsloc.running.plans import read_plan
from wsloc.running.ranks import Ranks
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from pathlib import Path

PREDICTION = {
    "class_index": 1,
    "class_id": "n01443537",
    "class_name": "goldfish",
    "probability": 0.93,
    "box": [1.0, 3.5, 20.0, 15.0],
    "mass": 0.981,
}
LINES: tuple[dict[str, Any], ...] = (
    {
        "image": "a.jpg",
        "width": 24,
        "height": 17,
        "map": "entropy-top5",
        "predictions": [PREDICTION, PREDICTION],
    },
    {"image": "b/c.jpg", "error": "b/c.jpg: is empty"},
    {"image": "d.jpg", "width": 24, "height": 17, "map": "cam", "predictions": [PREDICTION]},
)
IDENTITY: dict[str, Any] = {
    "command": "boxes", "images": 4, "image_ids": "ab", "image_files": "cd", "batch_size": 2, "mass": 0.98,
    "format": ["jsonl"], "shard": None, "wsloc": "0.1.0",
}  # fmt: skip
CODES = encode(np.array([[0, 1, 1], [0, 0, 255]], np.uint8), (1, 0, 255))
SEED_LINE: dict[str, Any] = {
    "image": "a.jpg", "width": 3, "height": 2, "map": "cam", "labels": "given",
    "classes": [{"probability": 0.5, "value": 1, "pixels": 2, "counts": CODES[0]}],
    "background": {"value": 0, "pixels": 3, "counts": CODES[1]},
    "ignore": {"value": 255, "pixels": 1, "counts": CODES[2]},
}  # fmt: skip


def _lines(*values: object) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def write_guesses(root: Path) -> None:
    """A file in each format that `read_guesses` knows."""
    write(root / "predictions.jsonl", _lines(*LINES))
    write(
        root / "predictions.csv",
        "image,rank,class_index,class_id,class_name,probability,x0,y0,x1,y1\n"
        'a.jpg,1,1,n01443537,goldfish,0.9,1,2,20,15\na.jpg,2,0,n01629819,"a, b",0.1,1,2,3,4\n',
    )
    write(root / "kaggle.csv", "ImageId,PredictionString\na,n01443537 1 2 20 15 n01629819 1 2 3 4\nb,\n")
    write(root / "text.txt", "a.jpg n01443537 1 2 20 15 n01629819 1 2 3 4\nb.jpg n01443537 1 2 3 4\n")
    write(root / "commas.txt", "a.jpg,n01443537,1,2,20,15\nb.jpg,n01443537,1,2,3,4\n")
    write(root / "official.txt", "1 1 2 20 15 2 1 2 3 4\n3 1 2 3 4\n")


def write_results(root: Path) -> None:
    """Folders of finished runs of `wsloc boxes` and `wsloc seeds`."""
    write(root / "boxes/predictions.jsonl", _lines(*LINES))
    write(root / "boxes/manifest.json", json.dumps({"schema_version": 1, "run": IDENTITY}, indent=2))
    write(root / "seeds/seeds.jsonl", _lines(SEED_LINE, LINES[1]))


def read_results(root: Path, path: Path) -> None:
    """As another run in the same folder does, up to clearing it."""
    if path.parent.name == "seeds":
        list(earlier_pictures(SEEDS, root / "seeds"))
        try:
            for line in read_seed_log(path):
                if isinstance(line, SeedLine):
                    with suppress(DataError):  # names the image alone
                        line.seed_mask()
        finally:
            RunResults(SEEDS, root / "seeds", None, frozenset()).clear()
        return
    read_manifest(path.parent)
    results = RunResults(
        BOXES, path.parent, [ImageFile("a.jpg", root), ImageFile("b/c.jpg", root)], frozenset()
    )
    run_differences(results.identity() or {}, IDENTITY)
    results.are_whole()
    list(earlier_pictures(BOXES, path.parent))
    try:
        if path.name == "predictions.jsonl":
            list(read_predictions(path))
    finally:
        results.clear()


def write_journals(root: Path) -> None:
    """A folder as a killed run of two processes leaves it."""
    place = root / ".wsloc-unfinished"
    write(place / "plan.json", json.dumps({"schema_version": 1, "identity": IDENTITY}, indent=2))
    for rank in range(2):
        with Journal(place / f"rank-{rank}.jsonl") as journal:
            journal.write(rank, [json.dumps(line).encode() + b"\n" for line in LINES[:2]])
            journal.close_batch({"flat": 1})
            journal.write(rank + 2, [json.dumps(LINES[2]).encode() + b"\n"])
            if rank:
                journal.close_batch({})


def read_journals(root: Path, _: Path) -> None:
    """As the next run in that folder does, with the same arguments and anew."""
    read_plan(root)
    for path in sorted((root / ".wsloc-unfinished").glob("*.jsonl")):
        list(read_images(path))
        list(read_images(path, of_done_batches=False))
        b"".join(copy_lines(read_entries(path)))
    results = RunResults(BOXES, root, None, frozenset())
    try:
        with open_work(root, IDENTITY, results, batches=range(2), ranks=Ranks()) as work:
            if not work.todo:
                b"".join(copy_lines(work.entries()))
    finally:
        with open_work(root, IDENTITY, results, batches=range(2), ranks=Ranks(), overwrite=True) as work:
            assert work.todo == (0, 1)


def write_shards(root: Path) -> None:
    """Two shards of a run."""
    for number in (1, 2):
        run = {**IDENTITY, "shard": f"{number}/2"}
        write(root / f"{number}/manifest.json", json.dumps({"schema_version": 1, "run": run}))
        write(root / f"{number}/predictions.jsonl", _lines(*LINES))


def read_shard_folders(root: Path, _: Path) -> None:
    """As `wsloc merge` does first."""
    whole_identity(read_shards([root / "1", root / "2"]))
