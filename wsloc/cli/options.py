"""The options that several commands share, as annotated types; each is described once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Resize(StrEnum):
    """How a picture becomes an input."""

    squash = "squash"
    keep = "keep"


# The headings of `--help`.
NETWORK, MAPS, RESULTS = "Network", "Maps and boxes", "Results"
RUNNING, REPORTING = "Running", "Reporting"
Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES",
        help="Image files, folders (searched recursively) or @list.txt (one path a line).",
        show_default=False,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="FILE",
        help="A wsloc checkpoint; `demo` comes with the package.",
        rich_help_panel=NETWORK,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="In place of --checkpoint, a torchvision classifier: resnet50, vgg16, ...",
        rich_help_panel=NETWORK,
    ),
]
WeightsOption = Annotated[
    str,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="For --model: a state dict's file, DEFAULT (torchvision's, downloaded once) or none (random).",
        rich_help_panel=NETWORK,
    ),
]
ClassNamesOption = Annotated[
    Path | None,
    typer.Option(
        "--class-names",
        metavar="FILE",
        help="Names of the outputs in their order, one a line: `name` or `id<TAB>name`.",
        show_default="the checkpoint's, ImageNet's for 1000 outputs, else numbers",
        rich_help_panel=NETWORK,
    ),
]
ImageSizeOption = Annotated[
    int | None,
    typer.Option(
        "--image-size",
        min=1,
        metavar="PIXELS",
        help="Side of the network's input.",
        show_default="the network's own",
        rich_help_panel=NETWORK,
    ),
]
ResizeOption = Annotated[
    Resize | None,
    typer.Option(
        "--resize",
        metavar="WAY",
        help="squash: the whole picture to a square; keep: its aspect ratio, the shorter side to --image-size.",
        show_default="the network's own, or squash",
        rich_help_panel=NETWORK,
    ),
]
OutputFolderOption = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="Folder for the results: an interrupted run with the same arguments is gone on with, another run's "
        "results are kept unless --overwrite is given, other files left.",
        rich_help_panel=RESULTS,
    ),
]
AnewOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Start anew, and replace what an earlier run left in the folder.",
        rich_help_panel=RESULTS,
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it is there.")]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document on stdout, and nothing else.", rich_help_panel=REPORTING
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=REPORTING),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more about what is done.", rich_help_panel=REPORTING)
]
