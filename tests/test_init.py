from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path

import pytest

import wsloc

TREE = ast.parse(Path(wsloc.__file__).read_text(encoding="utf-8"))


def test_all_are_the_real_exports() -> None:
    """`__all__`, the lazy table and what type checkers see are one list."""
    assert wsloc.__all__ == sorted(wsloc.__all__, key=lambda name: (name.islower(), name))
    assert set(wsloc.__all__) == {*wsloc._HOMES, "__version__"}
    (checking,) = (node for node in TREE.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: node.module
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == wsloc._HOMES


@pytest.mark.parametrize("name", wsloc.__all__)
def test_every_name_is_there(name: str) -> None:
    value = getattr(wsloc, name)
    if name in wsloc._HOMES:
        assert value is getattr(import_module(wsloc._HOMES[name]), name)
        assert value.__module__.startswith("wsloc")
        assert value.__doc__


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'wsloc' has no attribute 'localise'"):
        wsloc.localise  # noqa: B018 - what is tested
    assert dir(wsloc) == sorted(wsloc.__all__)


def test_the_version_is_that_of_the_package() -> None:
    assert wsloc.__version__ == metadata.version("wsloc")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    """`import wsloc` and every `--help` without torch, and without a warning."""
    code = """
import sys

class Guard:
    def find_spec(self, name, path=None, target=None):
        assert name.split(".")[0] not in {"torch", "torchvision", "numpy", "PIL", "cv2", "matplotlib"}, name

sys.meta_path.insert(0, Guard())
import wsloc
from typer.main import get_command
from wsloc.cli.app import app

names = get_command(app).commands
assert len(names) > 4
for arguments in ["--version"], ["--help"], *([name, "--help"] for name in names):
    try:
        app(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments
assert wsloc.WslocError
"""
    arguments = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"wsloc {wsloc.__version__}\n")
    assert done.stdout.count("Usage:") > 5
