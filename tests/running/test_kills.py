"""Runs that are killed, in small; tests/benchmarks/bench_kills.py does it fifty times and more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


@pytest.mark.parametrize(("command", "processes"), [("boxes", 1), ("boxes", 2), ("seeds", 1), ("seeds", 2)])
def test_a_killed_run_is_gone_on_with_to_the_byte(command: str, processes: int) -> None:
    script = ROOT / "tests/benchmarks/bench_kills.py"
    options = (
        "--command",
        command,
        "--kills",
        "2",
        "--images",
        "8",
        "--workers",
        "0",
        "--processes",
        str(processes),
    )
    ran = subprocess.run(
        [sys.executable, str(script), *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("all bytes are those of the unbroken run\n")
