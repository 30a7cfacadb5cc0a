"""Which files `wsloc seeds` writes, and where."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from wsloc.inputs.mask_classes import FILE_NAME as CLASSES
from wsloc.outputs.run_results import Layout
from wsloc.outputs.seed_files import coco_masks, image_list, sec_pickle
from wsloc.outputs.seed_files.formats import OF_A_RUN, OVERLAYS, SUFFIXES, seed_path
from wsloc.outputs.seed_files.seed_log import NAME, parse_seed_line, read_seed_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _path(kind: str, folder: Path, image: str) -> Path:
    return seed_path(folder, kind, image)


SEEDS = Layout(
    log=NAME,
    read=read_seed_log,
    parse=parse_seed_line,
    of_an_image={kind: partial(_path, kind) for kind in (*SUFFIXES, OVERLAYS)},
    of_a_run={
        "sec": sec_pickle.NAME,
        "coco": coco_masks.NAME,
        "list": image_list.NAME,
        "classes": CLASSES,
    },
    pictures=("png", "gray", OVERLAYS),
)
ALWAYS = frozenset({"list", "classes"})


def kinds_of_seeds(identity: Mapping[str, Any]) -> frozenset[str]:
    """The kinds of files of `SEEDS` that a run writes; a shard leaves what is made of all records to the merge."""
    formats = set(identity["formats"].split(","))
    made_of_all = set() if identity["shard"] else ALWAYS | formats & set(OF_A_RUN)
    return frozenset(made_of_all | formats & set(SUFFIXES) | ({OVERLAYS} if identity["overlays"] else set()))
