"""Options that several commands share: where and how fast the network runs, on which part of the images."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from wsloc.cli.options import REPORTING, RUNNING
from wsloc.running.ranks import on_this_machine


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
CompileOption = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile the network's trunk: a minute at the start, less time a batch after it; needs a C++ compiler.",
        rich_help_panel=RUNNING,
    ),
]
ProfileOption = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Say on stderr, in the manifest and with --json where the time went, stage by stage.",
        rich_help_panel=REPORTING,
    ),
]
