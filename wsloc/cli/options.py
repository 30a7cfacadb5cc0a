"""The options that several commands share, as annotated types; each is described once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wsloc.errors import UsageError
from wsloc.running.ranks import on_this_machine


class MapName(StrEnum):
    """The activation maps that can be asked for, `MAPS` by name; here without loading torch."""

    entropy_class = "entropy-class"
    entropy_top5 = "entropy-top5"
    entropy = "entropy"
    entropy_bew1 = "entropy-bew1"
    entropy_bew2 = "entropy-bew2"
    cam = "cam"
    gradcam = "gradcam"
    stochastic = "stochastic"
    stochastic_mean = "stochastic-mean"
    rib = "rib"


class LayerName(StrEnum):
    """Where `--map entropy` is taken from, `LAYERS` by name."""

    ep = "ep"
    bew1 = "bew1"
    bew2 = "bew2"


class BoxRule(StrEnum):
    """How a box is taken from a map."""

    mass = "mass"
    threshold = "threshold"
    excess = "excess"


class Resize(StrEnum):
    """How a picture becomes an input."""

    squash = "squash"
    keep = "keep"


class Precision(StrEnum):
    """Number format of the network's trunk."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


def default_workers() -> int:
    """Half of the processors this process may use, at least 1 and at most 4; shared by those of its run."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    _, processes = on_this_machine()
    return max(1, min(4, available // 2 // processes))


DEFAULT_WORKERS = default_workers()

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
MapOption = Annotated[
    MapName | None,
    typer.Option(
        "--map",
        metavar="MAP",
        help="Activation map: entropy-class, entropy-top5, entropy or cam, for networks with a pooled linear "
        "head; gradcam for any; entropy-bew1, entropy-bew2 for one trained with branches; stochastic, "
        "stochastic-mean for FickleNet: the maximum and the mean over its draws; rib: CAM of a pooled linear head "
        "that is fine-tuned on each image.",
        show_default="the network's own",
        rich_help_panel=MAPS,
    ),
]
LayerOption = Annotated[
    LayerName | None,
    typer.Option(
        "--layer",
        metavar="NAME",
        help="With --map entropy: ep (the last feature map), bew1 or bew2 (the branches, from shallow to deep).",
        show_default="ep",
        rich_help_panel=MAPS,
    ),
]
OutputStrideOption = Annotated[
    int | None,
    typer.Option(
        "--output-stride",
        min=1,
        metavar="PIXELS",
        help="A finer grid from the same weights, for ResNets and small_resnet: input pixels a cell.",
        show_default="the network's own",
        rich_help_panel=MAPS,
    ),
]
ScalesOption = Annotated[
    str | None,
    typer.Option(
        "--scales",
        metavar="LIST",
        help="Average maps over these factors of the input's size, such as 1,1.5; classes are the first one's.",
        show_default="1; for rib 1,0.5,1.5,2",
        rich_help_panel=MAPS,
    ),
]
MirrorOption = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Average maps over mirror images, too.",
        show_default="no-flip; for rib flip",
        rich_help_panel=MAPS,
    ),
]
ClassOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="CLASS",
        help="What to localize: top1, top5, or a class by name, id or index (repeatable).",
        show_default="top1",
        rich_help_panel=MAPS,
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="In place of --class, each image's own labels: a CSV with the header `image,label` (several labels "
        "parted by semicolons), or Tiny ImageNet's val_annotations.txt.",
        rich_help_panel=MAPS,
    ),
]
BoxOption = Annotated[
    BoxRule | None,
    typer.Option(
        "--box",
        metavar="RULE",
        help="mass: the smallest rectangle that holds --mass of the map; threshold: the largest component of "
        "what reaches --map-threshold; excess: the smallest rectangle that holds --mass of what rises above it.",
        show_default="mass for entropy maps, else threshold",
        rich_help_panel=MAPS,
    ),
]
MassOption = Annotated[
    float,
    typer.Option(
        "--mass",
        min=0,
        max=1,
        metavar="SHARE",
        help="Of the map's total, above 0 and up to 1.",
        rich_help_panel=MAPS,
    ),
]
MapThresholdOption = Annotated[
    float,
    typer.Option(
        "--map-threshold",
        min=0,
        max=1,
        metavar="SHARE",
        help="Of the map's maximum, 0-1.",
        rich_help_panel=MAPS,
    ),
]
BoxesPerClassOption = Annotated[
    int,
    typer.Option(
        "--boxes-per-class",
        min=1,
        metavar="N",
        help="Most boxes a class gets; above 1 they are of the components of what reaches --map-threshold, "
        "heaviest first.",
        rich_help_panel=MAPS,
    ),
]
MinProbabilityOption = Annotated[
    float,
    typer.Option(
        "--min-probability",
        min=0,
        max=1,
        metavar="P",
        help="Leave out less probable predictions, 0-1.",
        rich_help_panel=MAPS,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help="Where the network runs: auto, cpu, cuda, cuda:N or mps.",
        rich_help_panel=RUNNING,
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        metavar="NAME",
        help="float32: the same results on every device; bfloat16, float16: faster on GPUs; auto: float32.",
        rich_help_panel=RUNNING,
    ),
]
BatchSizeOption = Annotated[
    int,
    typer.Option(
        "--batch-size",
        min=1,
        metavar="N",
        help="Images through the network at once.",
        rich_help_panel=RUNNING,
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        min=0,
        metavar="N",
        help="Processes that decode and resize; 0 does it in the main one.",
        rich_help_panel=RUNNING,
    ),
]
RandomSeedOption = Annotated[
    int,
    typer.Option(
        "--random-seed", min=0, metavar="N", help="Of everything that is drawn.", rich_help_panel=RUNNING
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do the I-th of N parts, from 1, with an --output of its own; `wsloc merge` joins them.",
        show_default="everything",
        rich_help_panel=RUNNING,
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


def layer_map(map_name: str | None, layer: str | None) -> str | None:
    """The map that `--map` and `--layer` name together, a key of `MAPS`.

    Raises:
        UsageError: if a layer is named for another map than `entropy`.
    """
    from wsloc.methods import LAYERS

    if layer is None:
        return None if map_name is None else str(map_name)
    if map_name != MapName.entropy:
        raise UsageError("--layer goes with --map entropy")
    return LAYERS[str(layer)]


def scale_list(text: str | None) -> tuple[float, ...] | None:
    """`1,1.5` as factors; None stays None.

    Raises:
        UsageError: if it is no list of numbers.
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scales is a list of numbers such as 1,1.5, not {text!r}") from error


def listed_classes(text: str | None) -> tuple[str, ...]:
    """The names of `--classes cat,dog`.

    Raises:
        UsageError: if the option names none.
    """
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UsageError(f"--classes {text!r} names no class: give names, parted by commas")
    return names
