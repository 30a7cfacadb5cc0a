"""Options of how fast the network runs, and of seeing where the time goes."""

from __future__ import annotations

from typing import Annotated

import typer

from wsloc.cli.options import REPORTING, RUNNING

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
