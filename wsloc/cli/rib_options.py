"""The options of RIB: how the network is fine-tuned on each image, and how the maps of its steps are summed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wsloc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsloc.methods.rib import FineTuning

RIB = "RIB"
# Those that are a `FineTuning`'s own, by its names: what is not given keeps its default.
SETTINGS = (
    *("steps", "learning_rate", "classifier_learning_rate", "weight_decay", "power", "tau", "sum"),
    *("stop_logit", "stop_share", "stop_level", "side_by_side", "others"),
)
RIB_OPTIONS = (*(f"rib_{name}" for name in SETTINGS), "rib_images")


class StepSum(StrEnum):
    """How the maps of RIB's steps are summed, `SUMS` by name."""

    normalized = "normalized"
    raw = "raw"


RibStepsOption = Annotated[
    int | None,
    typer.Option(
        "--rib-steps",
        min=0,
        metavar="K",
        help="Steps of fine-tuning an image; 0 gives CAM over RIB's scales.",
        show_default="10",
        rich_help_panel=RIB,
    ),
]
RibLearningRateOption = Annotated[
    float | None,
    typer.Option(
        "--rib-learning-rate",
        min=0,
        metavar="RATE",
        help="Of the last two stages.",
        show_default="8e-06",
        rich_help_panel=RIB,
    ),
]
RibClassifierLearningRateOption = Annotated[
    float | None,
    typer.Option(
        "--rib-classifier-learning-rate",
        min=0,
        metavar="RATE",
        help="Of the linear layer.",
        show_default="8e-05",
        rich_help_panel=RIB,
    ),
]
RibWeightDecayOption = Annotated[
    float | None,
    typer.Option(
        "--rib-weight-decay",
        min=0,
        metavar="DECAY",
        help="L2, of both.",
        show_default="0.0001",
        rich_help_panel=RIB,
    ),
]
RibPowerOption = Annotated[
    float | None,
    typer.Option(
        "--rib-power",
        min=0,
        metavar="POWER",
        help="Of the polynomial decay of the learning rates.",
        show_default="0.9",
        rich_help_panel=RIB,
    ),
]
RibTauOption = Annotated[
    float | None,
    typer.Option(
        "--rib-tau",
        min=0,
        max=1,
        metavar="SHARE",
        help="Cells of at least this share of a map's maximum are left out of its logit.",
        show_default="0.4",
        rich_help_panel=RIB,
    ),
]
RibSumOption = Annotated[
    StepSum | None,
    typer.Option(
        "--rib-sum",
        metavar="WAY",
        help="normalized: each step's map counts alike; raw: later ones for more, as logits grow.",
        show_default="normalized",
        rich_help_panel=RIB,
    ),
]
RibStopLogitOption = Annotated[
    float | None,
    typer.Option(
        "--rib-stop-logit",
        metavar="SUM",
        help="An image is done when its logits, over all views and classes, exceed this.",
        show_default="600.0",
        rich_help_panel=RIB,
    ),
]
RibStopShareOption = Annotated[
    float | None,
    typer.Option(
        "--rib-stop-share",
        min=0,
        max=1,
        metavar="SHARE",
        help="It is done, too, when more than this share of a map exceeds --rib-stop-level.",
        show_default="0.7",
        rich_help_panel=RIB,
    ),
]
RibStopLevelOption = Annotated[
    float | None,
    typer.Option(
        "--rib-stop-level",
        min=0,
        max=1,
        metavar="SHARE",
        help="Of the map's maximum.",
        show_default="0.3",
        rich_help_panel=RIB,
    ),
]
RibSideBySideOption = Annotated[
    int | None,
    typer.Option(
        "--rib-side-by-side",
        min=0,
        metavar="N",
        help="Images fine-tuned at once; 0 for one on a CPU, 8 elsewhere.",
        show_default="0",
        rich_help_panel=RIB,
    ),
]
RibImagesOption = Annotated[
    Path | None,
    typer.Option(
        "--rib-images",
        metavar="DATA",
        help="A labelled data set, as `wsloc train` takes it: some of its images join each fine-tuning, of those that "
        "share no class with the image.",
        show_default="none",
        rich_help_panel=RIB,
    ),
]
RibOthersOption = Annotated[
    int | None,
    typer.Option(
        "--rib-others",
        min=0,
        metavar="B",
        help="How many of --rib-images.",
        show_default="20",
        rich_help_panel=RIB,
    ),
]


def asked_fine_tuning(arguments: Mapping[str, Any]) -> FineTuning:
    """The fine-tuning that a command's arguments ask for.

    Args:
        arguments: by name, `rib_steps` and its kin and the maps among them; None for what is not given.

    Raises:
        UnsupportedError: if one is out of its range.
        UsageError: if other images are asked for, and it is not said which; if the map is another one.
    """
    from wsloc.methods.rib import FineTuning

    maps = {
        str(arguments.get("map_name")),
        *(name.strip() for name in (arguments.get("compare") or "").split(",")),
    }
    unused = [name for name in RIB_OPTIONS if arguments[name] is not None and "rib" not in maps]
    if unused:
        raise UsageError(f"--{unused[0].replace('_', '-')} goes with --map rib: leave it out")

    if arguments["rib_others"] and arguments["rib_images"] is None:
        raise UsageError("--rib-others says how many of --rib-images: name the data set")

    given = {name: arguments[f"rib_{name}"] for name in SETTINGS}
    return FineTuning(**{name: value for name, value in given.items() if value is not None})
