"""Options of how fast the network runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Outcome


def test_a_profile_says_where_the_time_went(
    command: Callable[..., Outcome], gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    ran = command(
        "boxes", scenes, "--checkpoint", gap_checkpoint, "-o", tmp_path / "out", "--profile", "--json"
    )
    assert ran.code == 0, ran.stderr
    profile = json.loads(ran.stdout)["profile"]
    assert profile
    assert all(seconds >= 0 for seconds in profile.values())
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["profile"] == profile
