"""The command line: its commands, its exit codes, and the one place where errors become a line.

Exit codes: 0 done; 1 an expected failure, one line on stderr; 2 usage; 3 finished but some images failed;
130 interrupted; 143 terminated.
"""

from __future__ import annotations

import io
import signal
import sys
import warnings
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from wsloc import __version__
from wsloc.cli.boxes import boxes
from wsloc.cli.checkpoint_import import import_weights
from wsloc.cli.eval import evaluate
from wsloc.cli.inspect import inspect
from wsloc.cli.train import train
from wsloc.errors import UsageError, WslocError

if TYPE_CHECKING:
    from types import FrameType

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


class Terminated(BaseException):
    """SIGTERM arrived: files are closed on the way out, as after Ctrl-C."""


class ErrorBoundary(TyperGroup):
    """Turns wsloc's own errors into one line and an exit code; nothing else is caught."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # Typer's own context type
        """Run the command."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            code = _fail(error, EXIT_USAGE)
        except WslocError as error:
            code = _fail(error, EXIT_FAILED)
        except KeyboardInterrupt:
            code = _fail("interrupted", EXIT_INTERRUPTED)
        except Terminated:
            code = _fail("terminated", EXIT_TERMINATED)
        raise typer.Exit(code)


def _fail(reason: object, code: int) -> int:
    line = " ".join(str(reason).split())
    sys.stderr.write(f"wsloc: {'' if code > EXIT_USAGE else 'error: '}{line}\n")
    return code


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


app.command()(boxes)
app.command(name="eval")(evaluate)
app.command()(train)
app.command()(inspect)
app.command(name="import")(import_weights)


def main() -> None:
    """The installed command."""
    _answer_signals()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of the libraries below: what users must know is said as a note
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever a file is called
    try:
        app()
    except Terminated:  # before or after the command itself
        sys.exit(EXIT_TERMINATED)


def _answer_signals() -> None:
    """Have Ctrl-C and SIGTERM raised where they can be caught."""

    def answer(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)  # files are being closed: once is enough
            raise Terminated
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, answer)
