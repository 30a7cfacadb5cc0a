"""The options of FickleNet: how it is trained, and how its maps are drawn."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

FICKLENET = "FickleNet"


class DropMode(StrEnum):
    """What FickleNet drops, `MODES` by name."""

    stochastic = "stochastic"
    general = "general"
    deterministic = "deterministic"


DrawsOption = Annotated[
    int | None,
    typer.Option(
        "--draws",
        min=1,
        metavar="N",
        help="FickleNet: random selections whose maps are aggregated.",
        show_default="the checkpoint's, 200",
        rich_help_panel=FICKLENET,
    ),
]
DropRateOption = Annotated[
    float | None,
    typer.Option(
        "--drop-rate",
        min=0,
        max=1,
        metavar="SHARE",
        help="FickleNet: share of the units that a window does not see.",
        show_default="0.9",
        rich_help_panel=FICKLENET,
    ),
]
InferModeOption = Annotated[
    DropMode | None,
    typer.Option(
        "--infer-mode",
        metavar="MODE",
        help="FickleNet's maps: stochastic (units selected anew in every window), general (whole cells dropped) or "
        "deterministic (one map, of the mean of all selections).",
        show_default="stochastic",
        rich_help_panel=FICKLENET,
    ),
]
ShowDrawsOption = Annotated[
    int,
    typer.Option(
        "--show-draws",
        min=0,
        metavar="N",
        help="FickleNet: draw the maps of N single selections beside the aggregate, in the folder draws.",
        show_default="none",
        rich_help_panel=FICKLENET,
    ),
]
KernelOption = Annotated[
    int | None,
    typer.Option(
        "--kernel",
        min=0,
        metavar="CELLS",
        help="ficklenet: side of the classifier's windows, odd; 0 for the odd size next to 0.22 of the grid's side, at "
        "least 3.",
        show_default="0",
        rich_help_panel=FICKLENET,
    ),
]
TrainModeOption = Annotated[
    DropMode | None,
    typer.Option(
        "--train-mode",
        metavar="MODE",
        help="ficklenet: stochastic (units selected anew in every window), general (whole cells dropped) or "
        "deterministic (the mean of all selections).",
        show_default="stochastic",
        rich_help_panel=FICKLENET,
    ),
]
