import hashlib
import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from wsloc.errors import CheckpointError, OutputError
from wsloc.outputs.manifest import file_sha256, read_manifest, versions, write_content, write_manifest
from wsloc.records import Failure

RUN: dict[str, Any] = {
    "arguments": {"map": "cam", "mass": 0.98, "class": ["top5"], "output": Path("o/ü")},
    "checkpoint": None,
    "model": "resnet50",
    "device": "cpu",
    "images": 3,
    "failures": [Failure("x.jpg", "is empty")],
    "started": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    "seconds": 1.23456,
}


def test_a_manifest_says_what_the_run_was(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "out", **RUN)
    assert path == tmp_path / "out" / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content.pop("versions") == versions()
    assert content == {
        "schema_version": 1,
        "arguments": {"map": "cam", "mass": 0.98, "class": ["top5"], "output": str(Path("o/ü"))},
        "checkpoint": None,
        "model": "resnet50",
        "device": "cpu",
        "counts": {"images": 3, "done": 2, "failed": 1},
        "failures": [{"image": "x.jpg", "error": "is empty"}],
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 1.235,
    }


def test_a_checkpoint_is_named_with_its_hash(tmp_path: Path) -> None:
    checkpoint = tmp_path / "weights.pt"
    checkpoint.write_bytes(b"weights" * 100_000)
    path = write_manifest(tmp_path, **RUN | {"checkpoint": checkpoint, "model": None})
    assert json.loads(path.read_text())["checkpoint"] == {
        "path": str(checkpoint),
        "sha256": hashlib.sha256(b"weights" * 100_000).hexdigest(),
    }


def test_times_are_written_in_utc(tmp_path: Path) -> None:
    started = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    path = write_manifest(tmp_path, **RUN | {"started": started})
    assert json.loads(path.read_text())["started"] == "2025-12-31T23:00:00+00:00"


def test_a_name_that_is_no_utf8_comes_back(tmp_path: Path) -> None:
    image = os.fsdecode(b"caf\xe9.jpg")
    path = write_manifest(tmp_path, **RUN | {"failures": [Failure(image, "ä")]})
    assert json.loads(path.read_text())["failures"] == [{"image": image, "error": "ä"}]


def test_nan_is_refused_and_the_old_manifest_stays(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("old")
    with pytest.raises(OutputError, match=r"manifest\.json"):
        write_manifest(tmp_path, **RUN | {"arguments": {"mass": float("nan")}})
    assert (tmp_path / "manifest.json").read_text() == "old"


def test_versions_name_what_the_figures_depend_on() -> None:
    import numpy as np

    found = versions()
    assert list(found) == ["wsloc", "torch", "torchvision", "numpy", "pillow", "python"]
    assert found["numpy"] == np.__version__


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.pt"):
        file_sha256(tmp_path / "gone.pt")


def test_further_entries_stand_behind_the_others_and_are_read_again(tmp_path: Path) -> None:
    write_manifest(tmp_path, **RUN, tallies={"flat": 2}, run={"mass": 0.98})
    content = read_manifest(tmp_path)
    assert content is not None
    assert list(content)[-2:] == ["tallies", "run"]
    assert (content["tallies"], content["run"]) == ({"flat": 2}, {"mass": 0.98})
    before = (tmp_path / "manifest.json").read_bytes()
    write_content(tmp_path, content)
    assert (tmp_path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff"])
def test_what_is_no_manifest_is_none(tmp_path: Path, content: bytes) -> None:
    assert read_manifest(tmp_path) is None
    (tmp_path / "manifest.json").write_bytes(content)
    assert read_manifest(tmp_path) is None
