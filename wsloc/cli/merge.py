"""`wsloc merge`: the results of shards, joined into those of one run."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsloc.cli.boxes import EXIT_SOME_FAILED, report_boxes
from wsloc.cli.console import Talk
from wsloc.cli.eval_report import report_evaluation
from wsloc.cli.eval_run import asked_run
from wsloc.cli.options import RESULTS, JsonOption, QuietOption, VerboseOption
from wsloc.cli.seeds import report_seeds
from wsloc.errors import RunError
from wsloc.running.ranks import launched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsloc.outputs.shard_folders import ShardFolder


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
            show_default="wsloc-boxes, wsloc-seeds or wsloc-eval",
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
    """Join the shards of a `wsloc boxes`, `seeds` or `eval --shard I/N` into the results of one run, byte for byte."""
    from wsloc.merger import merge_shards
    from wsloc.outputs.shard_folders import read_shards
    from wsloc.seeder import SeedSummary

    if launched()[0] > 0:  # it takes seconds: the leading process does it alone
        return
    talk = Talk(as_json=as_json, quiet=quiet, verbose=verbose)
    talk.detail(f"{len(shards)} shards")
    found = read_shards(shards)
    if found[0].identity["command"] == "eval":
        merge_evaluation(talk, found, output or Path("wsloc-eval"), overwrite=overwrite)
        return
    with talk.progress("joining", None) as advance:
        summary = merge_shards(shards, output, overwrite=overwrite, on_batch=advance)
    if isinstance(summary, SeedSummary):
        report_seeds(talk, summary, summary.manifest.parent)
    else:
        report_boxes(talk, summary, summary.manifest.parent)
    if summary.failures:
        raise typer.Exit(EXIT_SOME_FAILED)


def merge_evaluation(talk: Talk, shards: Sequence[ShardFolder], output: Path, *, overwrite: bool) -> None:
    """Make the report of an evaluation's shards: its annotations are read again, and nothing goes through a network."""
    from wsloc.evaluation.report_folder import require_no_interrupted_run
    from wsloc.evaluation.shards import folder_of_paths, join_shards
    from wsloc.outputs.manifest import NAME as MANIFEST
    from wsloc.outputs.shard_folders import refuse_a_shard

    refuse_a_shard(output, shards)
    require_no_interrupted_run(output, overwrite=overwrite)
    arguments = {**shards[0].manifest["arguments"], "shard": None, "output": str(output)}
    there = [replace(found, folder=found.folder.absolute()) for found in shards]
    joined = output.absolute()
    try:
        place = folder_of_paths(shards)
        with chdir(place):  # relative paths are those of the shards' commands
            asked = asked_run(arguments, idle=True)
    except (KeyError, TypeError, ValueError) as error:  # a file that somebody has edited
        raise RunError(
            f"{shards[0].folder / MANIFEST} is not as `wsloc eval` wrote it ({error!r}): run the command of that shard "
            "again with --overwrite"
        ) from error
    with chdir(place):
        evaluation = join_shards(there, joined, asked.run, checkpoint=asked.checkpoint, model=asked.model)
    report_evaluation(talk, evaluation, output)
