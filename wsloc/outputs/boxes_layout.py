"""Which files `wsloc boxes` writes, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsloc.outputs.formats import FORMATS
from wsloc.outputs.paths import output_path, stem
from wsloc.outputs.predictions import NAME, parse_record, read_predictions
from wsloc.outputs.run_results import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping

BOXES = Layout(
    log=NAME,
    read=read_predictions,
    parse=parse_record,
    of_an_image={
        "overlays": lambda folder, image: output_path(folder / "overlays", image, ".jpg"),
        "draws": lambda folder, image: output_path(folder / "draws", image, ".jpg"),
        "npz": lambda folder, image: output_path(folder / "maps", image, ".npz"),
        "voc": lambda folder, image: output_path(folder / "voc", stem(image), ".xml"),
        "yolo": lambda folder, image: output_path(folder / "yolo", stem(image), ".txt"),
    },
    of_a_run={"csv": "predictions.csv", "coco": "coco.json", "yolo": "yolo/classes.txt"},
    pictures=("overlays", "draws"),
)


def kinds_of_boxes(identity: Mapping[str, Any]) -> frozenset[str]:
    """The kinds of files of `BOXES` that a run writes; a shard leaves what is made of all records to the merge."""
    kinds = {"overlays"} if identity["overlays"] else set()
    if identity["show_draws"]:
        kinds.add("draws")
    formats = set(identity["formats"].split(","))
    made_of_all = set() if identity["shard"] else formats & set(FORMATS)
    return frozenset(kinds | made_of_all | formats & {"npz"})
