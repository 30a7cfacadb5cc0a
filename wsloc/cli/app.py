"""The command line: its commands, its exit codes, and the one place where errors become a line.

Exit codes: 0 done; 1 an expected failure, one line on stderr; 2 usage; 3 finished but some images failed;
130 interrupted; 143 terminated.
"""

from __future__ import annotations

import io
import sys
import time
import warnings
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsloc import __version__
from wsloc.cli.boxes import boxes
from wsloc.cli.checkpoint_import import import_weights
from wsloc.cli.eval import evaluate
from wsloc.cli.inspect import inspect
from wsloc.cli.merge import merge
from wsloc.cli.seeds import seeds
from wsloc.cli.train import train
from wsloc.errors import UsageError, WslocError
from wsloc.running.ranks import launched
from wsloc.signals import Terminated, answer_signals, installed_answer
from wsloc.words import printable

HESITATION = 10.0  # seconds; a busy machine takes some to end a process
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


# What each command loads, torch among it; before it starts, since signals that arrive meanwhile must wait: Python
# drops what rises inside its import machinery, or leaves a library half loaded.
LOADED = {
    "boxes": ("wsloc.loader", "wsloc.runner"),
    "seeds": ("wsloc.loader", "wsloc.seeder"),
    "eval": ("wsloc.loader", "wsloc.evaluator", "wsloc.evaluation.shards"),
    "merge": ("wsloc.loader", "wsloc.merger", "wsloc.evaluation.shards"),
    "train": ("wsloc.trainer",),
    "inspect": ("wsloc.loader",),
    "import": ("wsloc.loader",),
}
ENDS = {KeyboardInterrupt: ("interrupted", EXIT_INTERRUPTED), Terminated: ("terminated", EXIT_TERMINATED)}


class Command(TyperCommand):
    """A command whose modules are loaded first, and which is stopped by signals from then on."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context type
        """Load its modules and run it; a signal that Python dropped is answered at the end."""
        for name in LOADED.get(self.name or "", ()):
            import_module(name)
        answer = installed_answer()
        if answer is None:
            return super().invoke(ctx)
        try:
            answer.begin()
            result = super().invoke(ctx)
            answer.check()
        finally:
            answer.end()
        return result


class ErrorBoundary(TyperGroup):
    """Turns wsloc's own errors into one line and an exit code; nothing else is caught."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context type
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Terminated) as signalled:
            code = _fail(*ENDS[type(signalled)])
        except Exception as error:
            answer = installed_answer()
            if answer is not None and answer.arrived is not None:
                # A signal rises anywhere: inside a library's own code it may come out as any other error.
                code = _fail(*ENDS[answer.arrived])
            elif isinstance(error, WslocError):
                code = _fail(error, EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILED)
            else:
                raise
        raise typer.Exit(code)


def _fail(reason: object, code: int) -> int:
    line = printable(" ".join(str(reason).split()))
    rank = _rank()
    if rank and (code > EXIT_USAGE or _is_ended_by_others()):
        return code  # the leading process has said the same
    process = f"process {rank}: " if rank else ""
    sys.stderr.write(f"wsloc: {'' if code > EXIT_USAGE else 'error: '}{process}{line}\n")
    return code


def _rank() -> int:
    """Of this process among those of its run; 0 if the launcher's variables make no sense."""
    try:
        return launched()[0]
    except UsageError:
        return 0


def _is_ended_by_others() -> bool:
    """Whether the launcher ends this process within a moment: then the leading one has failed, too.

    What is wrong with the arguments is wrong in every process, and is to be said once.
    """
    answer = installed_answer()
    deadline = time.monotonic() + HESITATION
    while time.monotonic() < deadline:
        if answer is not None and answer.arrived is not None:
            return True
        time.sleep(HESITATION / 100)
    return False


app = typer.Typer(
    cls=ErrorBoundary,
    name="wsloc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"wsloc {__version__}\n")
        raise typer.Exit


@app.callback()
def wsloc(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Weakly-supervised localization and explanation: maps and boxes from image-level labels alone."""


app.command(cls=Command)(boxes)
app.command(cls=Command)(seeds)
app.command(name="eval", cls=Command)(evaluate)
app.command(cls=Command)(merge)
app.command(cls=Command)(train)
app.command(cls=Command)(inspect)
app.command(name="import", cls=Command)(import_weights)


def main() -> None:
    """The installed command."""
    answer_signals()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of the libraries below: what users must know is said as a note
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a file is called
    try:
        app()
    except Terminated:  # after the command itself: before it, signals are only remembered
        sys.exit(EXIT_TERMINATED)
