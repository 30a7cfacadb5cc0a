"""The options that several commands share, as annotated types; each is described once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class BoxRule(StrEnum):
    """How a box is taken from a map."""

    mass = "mass"
    threshold = "threshold"


class Resize(StrEnum):
    """How a picture becomes an input."""

    squash = "squash"
    keep = "keep"


class Precision(StrEnum):
    """Number format of the network's trunk."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


def default_workers() -> int:
    """Half of the processors this process may use, at least 1 and at most 4."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, available // 2))


Images = Annotated[
    list[str],
    typer.Argument(help="Image files, folders (searched recursively) or @list.txt.", show_default=False),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option("--checkpoint", metavar="FILE", help="A wsloc checkpoint; `demo` comes with the package."),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Any torchvision classifier, for example resnet50."),
]
WeightsOption = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="DEFAULT|FILE|none",
        help="For --model: torchvision's weights, a state dict's file, or random ones.",
    ),
]
ClassNamesOption = Annotated[
    Path | None,
    typer.Option("--class-names", metavar="FILE", help="For --model: the classes, one a line."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda|cuda:N|mps", help="Where the network runs.")
]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", help="auto is float32: the same boxes on every device.")
]
BatchSizeOption = Annotated[
    int, typer.Option("--batch-size", min=1, help="Images through the network at once.")
]
WorkersOption = Annotated[
    int,
    typer.Option("--workers", min=0, help="Processes that decode and resize; 0 does it in the main one."),
]
ImageSizeOption = Annotated[
    int | None,
    typer.Option("--image-size", min=1, help="Input side in pixels.", show_default="the network's own"),
]
ResizeOption = Annotated[
    Resize | None,
    typer.Option(
        "--resize",
        help="squash: the whole picture to a square; keep: its aspect ratio.",
        show_default="the network's own, or squash",
    ),
]
RandomSeedOption = Annotated[int, typer.Option("--random-seed", min=0, help="Of everything that is drawn.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it is there.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="More about what is done.")]
