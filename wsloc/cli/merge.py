"""`wsloc merge`: the results of shards, joined into those of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wsloc.cli.boxes import EXIT_SOME_FAILED, report_boxes
from wsloc.cli.console import Talk
from wsloc.cli.options import RESULTS, JsonOption, QuietOption, VerboseOption
from wsloc.cli.seeds import report_seeds


def merge(
    shards: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Output folders of all shards of one run.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Folder for the joined results; the shards stay as they are.",
            show_default="wsloc-boxes or wsloc-seeds",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace what an earlier run left in --output.", rich_help_panel=RESULTS
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Join the shards of a `wsloc boxes` or `wsloc seeds --shard I/N` into the results of one run, byte for byte."""
    from wsloc.merger import merge_shards
    from wsloc.seeder import SeedSummary

    talk = Talk(as_json=as_json, quiet=quiet, verbose=verbose)
    talk.detail(f"{len(shards)} shards")
    with talk.progress("joining", None) as advance:
        summary = merge_shards(shards, output, overwrite=overwrite, on_batch=advance)
    if isinstance(summary, SeedSummary):
        report_seeds(talk, summary, summary.manifest.parent)
    else:
        report_boxes(talk, summary, summary.manifest.parent)
    if summary.failures:
        raise typer.Exit(EXIT_SOME_FAILED)
