"""Options that several commands share: which map, of which classes and views, and how boxes are taken from it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wsloc.cli.options import MAPS
from wsloc.errors import UsageError


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
