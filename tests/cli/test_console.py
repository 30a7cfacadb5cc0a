from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from wsloc.cli.console import Talk
from wsloc.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

# What rich would read as markup or a picture, what no plain encoding holds, and what a terminal would obey.
NAME = "photos/[bold]a[/bold] :star: ä \udcff\x1b[31m.jpg"
SHOWN = "photos/[bold]a[/bold] :star: ä \\xff\\x1b[31m.jpg"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Full(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        if self.getvalue():
            raise OSError(self.number, os.strerror(self.number))


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[io.StringIO, io.StringIO]]:
    """Puts two streams in the place of stdout and stderr."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def put(
        out: io.StringIO | None = None, err: io.StringIO | None = None
    ) -> tuple[io.StringIO, io.StringIO]:
        placed = (out or io.StringIO(), err or io.StringIO())
        monkeypatch.setattr(sys, "stdout", placed[0])
        monkeypatch.setattr(sys, "stderr", placed[1])
        return placed

    return put


@pytest.mark.parametrize(
    ("options", "on_stdout", "on_stderr"),
    [
        ({}, "line\n", "note\nerror\n"),
        ({"verbose": True}, "line\n", "note\ndetail\nerror\n"),
        ({"quiet": True}, "", "error\n"),
        ({"quiet": True, "verbose": True}, "", "error\n"),
        ({"as_json": True}, '{\n  "schema_version": 1,\n  "a": 1\n}\n', "note\nerror\n"),
        ({"as_json": True, "quiet": True}, '{\n  "schema_version": 1,\n  "a": 1\n}\n', "error\n"),
    ],
)
def test_who_hears_what(
    streams: Callable[..., tuple[io.StringIO, io.StringIO]],
    options: dict[str, bool],
    on_stdout: str,
    on_stderr: str,
) -> None:
    out, err = streams()
    talk = Talk(**options)
    talk.note("note")
    talk.detail("detail")
    talk.error("error")
    talk.line("line")
    talk.document({"a": 1})
    assert (out.getvalue(), err.getvalue()) == (on_stdout, on_stderr)
    talk.table("title", ["column"], [["cell"]])
    assert ("cell" in out.getvalue()) == (on_stdout == "line\n")


def test_words_are_printed_as_they_are(streams: Callable[..., tuple[io.StringIO, io.StringIO]]) -> None:
    out, err = streams()
    talk = Talk(verbose=True)
    talk.note(NAME)
    talk.detail(NAME)
    talk.error(f"one\n  line {NAME}")
    talk.line(NAME)
    talk.table(NAME, [NAME], [[NAME]])
    assert err.getvalue() == f"{SHOWN}\n{SHOWN}\none line {SHOWN}\n"
    assert out.getvalue().startswith(f"{SHOWN}\n")
    assert out.getvalue().count(SHOWN) == 4


def test_the_document_survives_any_encoding(streams: Callable[..., tuple[io.StringIO, io.StringIO]]) -> None:
    out, _ = streams()
    Talk(as_json=True).document({"image": NAME})
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue())["image"] == NAME


def test_nothing_is_cut_in_a_pipe(streams: Callable[..., tuple[io.StringIO, io.StringIO]]) -> None:
    out, _ = streams()
    Talk().table("t", ["image", "class"], [["x" * 200, "y" * 100]])
    assert "x" * 200 in out.getvalue()
    assert "y" * 100 in out.getvalue()
    Talk().line("z" * 900)
    assert "z" * 900 in out.getvalue()


@pytest.mark.parametrize(
    ("variables", "terminals", "coloured"),
    [
        ({}, (False, False), (False, False)),
        ({}, (True, True), (True, True)),
        ({}, (False, True), (False, True)),
        ({}, (True, False), (True, False)),
        ({"NO_COLOR": "1"}, (True, True), (False, False)),
        ({"TERM": "dumb"}, (True, True), (False, False)),
    ],
)
def test_colour_is_decided_for_each_stream(
    streams: Callable[..., tuple[io.StringIO, io.StringIO]],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    terminals: tuple[bool, bool],
    coloured: tuple[bool, bool],
) -> None:
    out, err = streams(*(Terminal() if terminal else io.StringIO() for terminal in terminals))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    talk = Talk(verbose=True)
    for console, has in ((talk.out, coloured[0]), (talk.err, coloured[1])):
        console.print("word", style="red")
        assert ("\x1b[31m" in console.file.getvalue()) == has  # type: ignore[attr-defined]  # a StringIO
    assert (out, err) == (talk.out.file, talk.err.file)


@pytest.mark.parametrize(
    ("terminal", "quiet", "shown"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_progress_is_for_terminals(
    streams: Callable[..., tuple[io.StringIO, io.StringIO]],
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    quiet: bool,
    shown: bool,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as CI has it: colour, but no bar
    out, err = streams(None, Terminal() if terminal else io.StringIO())
    with Talk(quiet=quiet).progress("localizing", 4) as advance:
        advance(1)
        advance(2, "[epoch] 2", total=8)
        advance(0)
    assert ("3/8" in err.getvalue()) == shown
    assert ("[epoch] 2" in err.getvalue()) == shown
    assert (err.getvalue() == "") == (not shown)
    assert out.getvalue() == ""


@pytest.mark.parametrize("how", ["line", "table", "document"])
def test_a_full_disk_behind_stdout(streams: Callable[..., tuple[io.StringIO, io.StringIO]], how: str) -> None:
    streams(Full(errno.ENOSPC))
    with pytest.raises(OutputError, match="cannot write to the standard output: No space left on device"):
        say(how)


def test_a_long_table_for_a_full_disk_is_one_line() -> None:
    """Longer than the 8 KiB that are buffered; in a process of its own, which flushes once more as it ends."""
    program = """
from wsloc.cli.console import Talk
from wsloc.errors import OutputError
try:
    Talk().table("t", ["c"], [["x" * 100]] * 200)
except OutputError as error:
    raise SystemExit(str(error))
"""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "cannot write to the standard output: No space left on device\n",
    )


@pytest.mark.parametrize("how", ["line", "table", "document"])
def test_a_reader_who_left(streams: Callable[..., tuple[io.StringIO, io.StringIO]], how: str) -> None:
    _, err = streams(Full(errno.EPIPE))
    with pytest.raises(typer.Exit) as caught:
        say(how)
    assert caught.value.exit_code == 1
    assert err.getvalue() == ""


def say(how: str) -> None:
    if how == "line":
        Talk().line("x")
    elif how == "table":
        Talk().table("t", ["c"], [["x"]])
    else:
        Talk(as_json=True).document({})


def test_without_any_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be started with it closed."""
    monkeypatch.setattr(sys, "stdout", None)
    for how in ("line", "table", "document"):
        say(how)
