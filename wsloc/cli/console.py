"""What people see: notes, progress and tables on stderr or stdout, one place for all of them."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from wsloc.errors import OutputError
from wsloc.signals import check_signals
from wsloc.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.progress import Task

PIPE_WIDTH = 500  # columns of a table that goes to a file or a pipe, where nothing must be cut
FOLDED_WIDTH = 20  # columns that words keep at least beside numbers


class _Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} images/s", style="progress.data.speed")


class Talk:
    """The command's voice: results on stdout, everything else on stderr, colour decided for each stream.

    Words may come from anywhere (file names, other people's checkpoints): control characters are escaped.

    Args:
        as_json: print results as one JSON document instead of tables.
        quiet: no progress, notes or tables.
        verbose: more notes.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        # Words are printed as they are: a file name may hold [brackets] or :names: of pictures.
        on_terminal = sys.stdout is not None and sys.stdout.isatty()
        width = None if on_terminal else PIPE_WIDTH
        self.out = Console(highlight=False, markup=False, emoji=False, width=width)
        self.err = Console(highlight=False, markup=False, emoji=False, stderr=True)

    def error(self, text: str) -> None:
        """A line on stderr, quiet or not."""
        self.err.print(printable(" ".join(text.split())), soft_wrap=True)

    def note_if(self, text: str | None) -> None:
        """A note, if there is any."""
        if text is not None:
            self.note(text)

    def note(self, text: str) -> None:
        """A line on stderr, unless quiet."""
        if not self.quiet:
            self.err.print(printable(text), soft_wrap=True)

    def detail(self, text: str) -> None:
        """A line on stderr, if verbose."""
        if self.verbose and not self.quiet:
            self.err.print(printable(text), soft_wrap=True, style="dim")

    def document(self, content: Mapping[str, Any]) -> None:
        """The one JSON document that `--json` asks for, in ASCII: any reader's encoding will do."""
        if self.as_json:
            self._write(json.dumps({"schema_version": 1, **content}, indent=2, default=str) + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout, unless quiet or JSON is asked for."""
        if self.as_json or self.quiet:
            return
        table = Table(*map(printable, columns), title=printable(title), title_justify="left")
        for row in rows:
            table.add_row(*map(printable, row))
        self._print(table)

    def figures(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Dense tables on stdout: words in the first column, which folds where the terminal is narrow, then numbers.

        Columns may have headings of several lines; those that find no room go into a table below. Nothing is
        printed if quiet or JSON is asked for.
        """
        if self.as_json or self.quiet:
            return
        cells = [[*heading.splitlines(), *column] for heading, *column in zip(columns, *rows, strict=True)]
        words, *widths = (max(map(cell_len, column), default=0) for column in cells)
        blocks: list[list[int]] = [[]]
        for place, width in enumerate(widths, start=1):
            used = min(words, FOLDED_WIDTH) + sum(widths[other - 1] + 1 for other in blocks[-1])
            if blocks[-1] and used + width + 1 > self.out.width:
                blocks.append([])
            blocks[-1].append(place)
        for block in blocks:
            shown = [0, *block]
            above = title if block is blocks[0] else None
            table = Table(title=above, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
            table.add_column(columns[0], vertical="bottom", overflow="fold")
            for place in block:
                table.add_column(columns[place], justify="right", no_wrap=True)
            for row in rows:
                table.add_row(*(row[place] for place in shown))
            self._print(table)

    def line(self, text: str) -> None:
        """A line on stdout, unless quiet or JSON is asked for."""
        if not (self.as_json or self.quiet):
            self._print(printable(text), soft_wrap=True)

    def _print(self, what: Table | str, *, soft_wrap: bool = False) -> None:
        # A console of its own: `Console.capture` writes to stdout and flushes it when its block ends.
        text = io.StringIO()
        console = Console(
            file=text,
            highlight=False,
            markup=False,
            emoji=False,
            width=self.out.width,
            force_terminal=self.out.is_terminal,
        )
        console.print(what, soft_wrap=soft_wrap)
        self._write(text.getvalue())

    def _write(self, text: str) -> None:
        """Write to stdout; a full disk behind it is an error like any other, a reader who left ends the command.

        Raises:
            OutputError: if stdout cannot be written to.
        """
        try:
            self.out.file.write(text)
            self.out.file.flush()
        except OSError as error:
            # What is left in the buffer must not fail a second time when Python ends.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):
                raise typer.Exit(1) from error
            raise OutputError(f"cannot write to the standard output: {error.strerror or error}") from error

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Callable[..., None]]:
        """A bar with rate and remaining time on stderr, if that is a terminal; silent otherwise.

        Signals that Python dropped are answered here, each time that something is done.

        Args:
            what: stands before the bar.
            total: images; None if their number is not known yet.

        Yields:
            `advance(images, what=None, total=None)`.
        """
        check_signals()
        if self.quiet or not self.err.file.isatty():  # not is_terminal: FORCE_COLOR makes that true
            yield _say_nothing
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.err, transient=True) as bar:
            task = bar.add_task(what, total=total)

            def advance(images: int, what: str | None = None, total: int | None = None) -> None:
                check_signals()
                bar.update(task, advance=images, description=what, total=total)

            yield advance


def _say_nothing(*_advance: object, **_told: object) -> None:
    """Progress where nobody watches."""
    check_signals()
