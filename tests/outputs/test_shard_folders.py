from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import RunError
from wsloc.outputs.shard_folders import read_shards, whole_identity

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"command": "boxes", "mass": 0.98, "images": 9, "image_ids": "x", "image_files": "y", "batch_size": 2}
TOLD = {"arguments": {}, "started": "2026-01-01T00:00:00+00:00", "seconds": 1.5, "classes": {}}


def shard(folder: Path, text: str, **others: Any) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({**TOLD, "run": {**RUN, "shard": text, **others}}))
    return folder


def test_shards_come_in_their_order_wherever_their_images_lay(tmp_path: Path) -> None:
    folders = [shard(tmp_path / str(i), f"{i}/3", image_files=f"node {i}") for i in (3, 1, 2)]
    shards = read_shards(folders)
    assert [found.shard.number for found in shards] == [1, 2, 3]
    assert [found.folder.name for found in shards] == ["1", "2", "3"]
    assert whole_identity(shards) == {**RUN, "shard": None, "image_files": "node 1"}


@pytest.mark.parametrize(
    "other", [{"mass": 0.5}, {"image_ids": "z"}, {"batch_size": 3}, {"command": "seeds"}]
)
def test_shards_of_different_runs_are_refused(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="are not of one run"):
        read_shards([shard(tmp_path / "1", "1/2"), shard(tmp_path / "2", "2/2", **other)])


def test_several_missing_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="shard 1/4, 3/4 is missing"):
        read_shards([shard(tmp_path / "2", "2/4"), shard(tmp_path / "4", "4/4")])


@pytest.mark.parametrize("text", ["3/2", "one", "0/1"])
def test_a_shard_that_cannot_be_names_its_folder(tmp_path: Path, text: str) -> None:
    with pytest.raises(RunError, match=f"{tmp_path / '1'} does not hold a shard"):
        read_shards([shard(tmp_path / "1", text)])


def test_of_very_many_missing_ones_some_are_named(tmp_path: Path) -> None:
    """A slip of the finger in N is no reason to fill the memory."""
    with pytest.raises(RunError, match=r"^shard 2/999999999, 3/999999999, .* and 999999988 more is missing"):
        read_shards([shard(tmp_path / "1", "1/999999999")])


@pytest.mark.parametrize("lacking", [*TOLD, "command", "images", "batch_size"])
def test_a_damaged_manifest_is_named(tmp_path: Path, lacking: str) -> None:
    path = shard(tmp_path / "1", "1/1") / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["run"].pop(lacking, None)
    manifest.pop(lacking, None)
    path.write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=f"{path} is not as wsloc wrote it: run the command of that shard"):
        read_shards([path.parent])


def test_an_evaluation_needs_no_classes(tmp_path: Path) -> None:
    folder = shard(tmp_path / "1", "1/1", command="eval")
    content = json.loads((folder / "manifest.json").read_text())
    del content["classes"]
    (folder / "manifest.json").write_text(json.dumps(content))
    assert read_shards([folder])[0].identity["command"] == "eval"
