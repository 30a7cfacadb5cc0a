from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import RunError
from wsloc.outputs.shard_folders import read_shards, whole_identity

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"command": "boxes", "mass": 0.98, "images": 9, "image_ids": "x", "image_files": "y", "batch_size": 2}


def shard(folder: Path, text: str, **others: Any) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"run": {**RUN, "shard": text, **others}}))
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
