"""What people see: notes, progress and tables on stderr or stdout, one place for all of them."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.progress import Task


class _Rate(ProgressColumn):
    """Images a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} images/s", style="progress.data.speed")


class Talk:
    """The command's voice: results on stdout, everything else on stderr, colour decided for each stream.

    Args:
        as_json: print results as one JSON document instead of tables.
        quiet: no progress, notes or tables.
        verbose: more notes.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.out = Console(highlight=False)
        self.err = Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        """A line on stderr, unless quiet."""
        if not self.quiet:
            self.err.print(escape(text), soft_wrap=True)

    def detail(self, text: str) -> None:
        """A line on stderr, if verbose."""
        if self.verbose and not self.quiet:
            self.err.print(escape(text), soft_wrap=True, style="dim")

    def document(self, content: Mapping[str, Any]) -> None:
        """The one JSON document that `--json` asks for."""
        if self.as_json:
            sys.stdout.write(
                json.dumps({"schema_version": 1, **content}, ensure_ascii=False, indent=2) + "\n"
            )

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout, unless quiet or JSON is asked for."""
        if self.as_json or self.quiet:
            return
        table = Table(*columns, title=escape(title), title_justify="left")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        self.out.print(table)

    def line(self, text: str) -> None:
        """A line on stdout, unless quiet or JSON is asked for."""
        if not (self.as_json or self.quiet):
            self.out.print(escape(text), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[..., None]]:
        """A bar with rate and remaining time on stderr, if that is a terminal; silent otherwise.

        Args:
            what: stands before the bar.
            total: images.

        Yields:
            `advance(images, what=None, total=None)`.
        """
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        hidden = self.quiet or not self.err.is_terminal
        with Progress(*columns, console=self.err, disable=hidden, transient=True) as bar:
            task = bar.add_task(what, total=total)

            def advance(images: int, what: str | None = None, total: int | None = None) -> None:
                bar.update(task, advance=images, description=what, total=total)

            yield advance
