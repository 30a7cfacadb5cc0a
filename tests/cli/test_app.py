from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

import wsloc
from wsloc.cli import app as module
from wsloc.cli.app import ErrorBoundary, app
from wsloc.errors import DataError, OutputError, UsageError, WslocError
from wsloc.running.plans import logged_images
from wsloc.signals import SignalAnswer, Terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Outcome

PATIENCE = 300  # seconds, for a machine that does other things
COMMANDS = ("boxes", "seeds", "eval", "merge", "train", "inspect", "import")


def boundary(error: BaseException | None) -> typer.Typer:
    """An application of one command, which raises."""
    small = typer.Typer(cls=ErrorBoundary, pretty_exceptions_enable=False)

    @small.callback()
    def group() -> None: ...

    @small.command()
    def go() -> None:
        if error is not None:
            raise error

    return small


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, ""),
        (WslocError("a.jpg: is empty"), 1, "wsloc: error: a.jpg: is empty\n"),
        (DataError("a.csv:3:\n  torn\tline"), 1, "wsloc: error: a.csv:3: torn line\n"),
        (UsageError("name --x"), 2, "wsloc: error: name --x\n"),
        (KeyboardInterrupt(), 130, "wsloc: interrupted\n"),
        (Terminated(), 143, "wsloc: terminated\n"),
        (typer.Exit(3), 3, ""),
    ],
)
def test_errors_become_a_line_and_a_code(error: BaseException | None, code: int, line: str) -> None:
    result = CliRunner().invoke(boundary(error), ["go"], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", line)


@pytest.mark.parametrize(("error", "code"), [(None, 143), (RecursionError(), 143), (OutputError("x"), 143)])
def test_a_signal_that_was_lost_in_a_library_ends_the_command_all_the_same(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, code: int
) -> None:
    """Dropped altogether, or turned into another error: torch's lazy imports do both."""
    answer = SignalAnswer()
    monkeypatch.setattr(module, "installed_answer", lambda: answer)
    small = typer.Typer(cls=ErrorBoundary, pretty_exceptions_enable=False)

    @small.callback()
    def group() -> None: ...

    @small.command(cls=module.Command)
    def go() -> None:
        answer.arrived = Terminated
        if error is not None:
            raise error

    result = CliRunner().invoke(small, ["go"], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "wsloc: terminated\n")


@pytest.mark.parametrize(
    ("rank", "error", "ended", "line"),
    [
        ("0", UsageError("name --x"), True, "wsloc: error: name --x\n"),
        ("1", UsageError("name --x"), True, ""),
        ("1", OutputError("cannot write x"), False, "wsloc: error: process 1: cannot write x\n"),
        ("1", Terminated(), False, ""),
        ("1", KeyboardInterrupt(), False, ""),
        ("x", UsageError("name --x"), True, "wsloc: error: name --x\n"),
    ],
)
def test_of_several_processes_the_leading_one_speaks(
    monkeypatch: pytest.MonkeyPatch, rank: str, error: BaseException, ended: bool, line: str
) -> None:
    """What all of them have to say is said once: the launcher ends the others; a process's own trouble is told."""
    answer = SignalAnswer()
    if ended:
        answer.arrived = Terminated if not isinstance(error, Exception) or rank == "1" else None
    monkeypatch.setattr(module, "installed_answer", lambda: answer)
    monkeypatch.setattr(module, "HESITATION", 0.1)
    place = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(boundary(error), ["go"], catch_exceptions=False)
    assert result.stderr == line
    assert result.exit_code != 0


def test_a_signal_while_torch_is_loaded_waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answer = SignalAnswer()
    monkeypatch.setattr(module, "installed_answer", lambda: answer)
    loaded: list[str] = []

    def load(name: str) -> None:
        loaded.append(name)
        answer(signal.SIGINT, None)

    monkeypatch.setattr(module, "import_module", load)
    result = CliRunner().invoke(app, ["boxes", str(tmp_path), "-o", str(tmp_path / "out")])
    assert (result.exit_code, result.stderr) == (130, "wsloc: interrupted\n")
    assert loaded == list(module.LOADED["boxes"])
    assert not (tmp_path / "out").exists()


def test_every_command_says_what_it_loads() -> None:
    assert set(module.LOADED) == set(COMMANDS)


def test_flaws_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(boundary(ZeroDivisionError()), ["go"], catch_exceptions=False)


def test_the_commands_are_these(command: Callable[..., Outcome]) -> None:
    assert tuple(get_command(app).commands) == COMMANDS  # type: ignore[attr-defined]  # it is a group
    ran = command("--help")
    assert (ran.code, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    for name in COMMANDS:
        assert re.search(rf"^\W*{name} +[A-Z].*[.]", ran.stdout, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help_and_its_place_in_the_readme(
    name: str, command: Callable[..., Outcome]
) -> None:
    ran = command(name, "-h")
    assert ran.code == 0
    assert f"Usage: wsloc {name} " in ran.stdout or f"Usage: root {name} " in ran.stdout
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    assert f"`wsloc {name} " in readme
    assert re.search(rf"^wsloc {name} ", readme, re.MULTILINE) or name == "inspect"


def test_the_readme_names_options_that_exist() -> None:
    """Every `--option` of the README's command lines is one of that command's."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    lines = re.findall(rf"wsloc ({'|'.join(COMMANDS)}) ([^`|\n]*)", readme)
    assert len(lines) > 8
    for name, rest in lines:
        known = {
            spelling
            for option in commands[name].params
            for spelling in (*option.opts, *option.secondary_opts)
        }
        assert set(re.findall(r"--[a-z-]+", rest.split("#")[0])) <= known | {"--help"}, (name, rest)


def test_the_version(command: Callable[..., Outcome]) -> None:
    ran = command("--version")
    assert (ran.code, ran.stdout, ran.stderr) == (0, f"wsloc {wsloc.__version__}\n", "")


def test_wrong_usage_is_2(command: Callable[..., Outcome]) -> None:
    for arguments in (["--colour"], ["paint"], ["inspect"], ["inspect", "a", "b"], []):
        assert command(*arguments).code == 2


def test_shell_completion_is_offered(command: Callable[..., Outcome]) -> None:
    assert "--install-completion" in command("--help").stdout


def test_the_installed_command_is_this_one() -> None:
    (script,) = (entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "wsloc")
    assert script.load() is module.main


# From here on in processes of their own, with every warning an error: what only a real one shows.


def start(*arguments: object) -> subprocess.Popen[str]:
    """`python -W error -m wsloc ARGUMENTS...` in a process group of its own, where signals are answered."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "wsloc", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no thread is there
    )


@pytest.fixture(scope="module")
def many(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More images than can be done before a signal arrives."""
    folder = tmp_path_factory.mktemp("many")
    with Image.open(scenes / "a/star.png") as picture:
        picture.resize((900, 600)).save(folder / "0000.png")
    for number in range(1, 1500):
        os.link(folder / "0000.png", folder / f"{number:04}.png")
    return folder


@pytest.fixture(scope="module")
def stopped(
    many: Path, ep_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, subprocess.Popen[str]]]]:
    """Two runs side by side, with workers: one is sent Ctrl-C, the other SIGTERM, both amid their work."""
    runs = {}
    for name in ("interrupted", "terminated"):
        out = tmp_path_factory.mktemp(name)
        options = ("--batch-size", 2, "--workers", 2, "--format", "npz", "-o", out, "--image-size", 32)
        runs[name] = (out, start("boxes", many, "--checkpoint", ep_checkpoint, *options))
    for name, (out, process) in runs.items():
        log, deadline = out / ".wsloc-unfinished/rank-0.jsonl", time.monotonic() + PATIENCE
        while not log.exists() or log.read_bytes().count(b"\n") < 6:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # As a terminal does it: the whole group, workers included.
        os.killpg(process.pid, signal.SIGINT if name == "interrupted" else signal.SIGTERM)
    yield runs
    for _, process in runs.values():
        process.kill()


@pytest.mark.parametrize(("name", "code"), [("interrupted", 130), ("terminated", 143)])
def test_a_signal_ends_a_run_in_good_order(
    stopped: dict[str, tuple[Path, subprocess.Popen[str]]], name: str, code: int
) -> None:
    out, process = stopped[name]
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout, stderr) == (code, "", f"wsloc: {name}\n")
    with pytest.raises(ProcessLookupError):  # no worker is left
        os.killpg(process.pid, 0)
    assert (out / ".wsloc-unfinished/rank-0.jsonl").read_bytes().endswith(b"\n")
    lines = list(logged_images(out))
    assert 4 <= len(lines) < 1500
    assert lines == [f"{number:04}.png" for number in range(len(lines))]
    assert {path.name for path in out.iterdir()} == {".wsloc-unfinished", "overlays", "maps"}
    assert {path.name for path in (out / ".wsloc-unfinished").iterdir()} == {"plan.json", "rank-0.jsonl"}
    overlays = sorted(path.name for path in (out / "overlays").iterdir())
    assert 0 < len(overlays) <= len(lines)
    assert overlays == [f"{number:04}.png.jpg" for number in range(len(overlays))]
    for overlay in overlays[-3:]:
        with Image.open(out / "overlays" / overlay) as picture:
            picture.load()


def test_a_reader_who_leaves_misses_nothing_but_words(
    scenes: Path, tmp_path: Path, ep_checkpoint: Path
) -> None:
    """As in `wsloc boxes ... | head -0`: no traceback and no warning, and all files are there."""
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / os.fsdecode(b"bad\xff\n.png")).touch()
    options = ("--map", "gradcam", "--batch-size", 2, "--workers", 2, "--format", "csv,coco,voc,yolo,npz")
    process = start("boxes", images, "--checkpoint", ep_checkpoint, *options, "-o", tmp_path / "out")
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate(timeout=PATIENCE)
    assert re.fullmatch(r"failed: .*bad.*\.png: is empty\n", stderr)
    assert process.returncode == 1
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["counts"] == {"images": 5, "done": 4, "failed": 1}
    assert (tmp_path / "out/coco.json").exists()
