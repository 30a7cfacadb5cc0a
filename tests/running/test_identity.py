from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wsloc.records import ImageFile
from wsloc.running.identity import differences, digest, run_differences, run_identity
from wsloc.running.shards import Shard

FILES = [ImageFile("a.jpg", Path("/x/a.jpg")), ImageFile("b.jpg", Path("/x/b.jpg"))]


def identity(
    arguments: dict[str, Any] | None = None,
    files: list[ImageFile] = FILES,
    shard: Shard = Shard(),  # noqa: B008 - frozen
    **entries: Any,
) -> dict[str, Any]:
    return run_identity("boxes", arguments or {"mass": 0.98}, files=files, shard=shard, **entries)


def test_the_same_is_the_same() -> None:
    assert identity() == identity()
    assert run_differences(identity(), identity()) == []
    assert identity({"scales": (1.0, 1.5), "folder": Path("x")}) == identity(
        {"scales": [1.0, 1.5], "folder": "x"}
    )


@pytest.mark.parametrize("name", ["workers", "quiet", "as_json", "verbose", "output", "overwrite"])
def test_what_changes_no_result_does_not_count(name: str) -> None:
    assert identity({"mass": 0.98, name: 1}) == identity({"mass": 0.98, name: 2})


def test_what_differs_is_told_in_words() -> None:
    for other, words in (
        (identity({"mass": 0.9}), ["mass (0.98 there, 0.9 here)"]),
        (identity(checkpoint="f" * 64), ["checkpoint (None there, ffffffffffff... here)"]),
        (identity(shard=Shard(2, 4)), ["shard (None there, 2/4 here)"]),
        (identity(files=FILES[:1]), ["images (2 there, 1 here)"]),
        (identity(files=FILES[::-1]), ["images"]),
        (
            identity(files=[ImageFile(file.image, Path("/y") / file.image) for file in FILES]),
            ["the images' folder"],
        ),
    ):
        assert run_differences(identity(), other) == words


def test_of_another_commands_run_only_the_command_is_told() -> None:
    other = {**identity({"mass": 0.5, "box": "mass"}, FILES[:1]), "command": "seeds"}
    assert run_differences(other, identity()) == ["command (seeds there, boxes here)"]


def test_entries_stand_for_arguments_of_their_name() -> None:
    assert identity({"formats": "csv, jsonl"}, formats="csv,jsonl")["formats"] == "csv,jsonl"


def test_images_are_where_they_really_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "real", tmp_path / "link", Path("real")]
    found = [identity(files=[ImageFile("a.jpg", place / "a.jpg")]) for place in places]
    assert found[0] == found[1] == found[2]


def test_digests_tell_texts_apart() -> None:
    texts: tuple[list[str], ...] = (
        ["a", "b"],
        ["ab"],
        ["b", "a"],
        ["a\nb"],
        ["a"],
        [],
        [os.fsdecode(b"\xff")],
    )
    assert len({digest(text) for text in texts}) == len(texts)


def test_differences_are_named_with_both_values() -> None:
    there = {
        "epochs": 2,
        "rate": 0.1,
        "classes": ["a"],
        "augmentation": {"smallest_crop": 0.35, "flip": True},
    }
    here = {"epochs": 3, "rate": 0.1, "classes": ["b"], "augmentation": {"smallest_crop": 0.5, "flip": True}}
    assert differences(there, here) == [
        "epochs (2 there, 3 here)",
        "classes",
        "smallest crop (0.35 there, 0.5 here)",
    ]
    assert differences(there, there) == []
    assert differences({}, {"augmentation": {"flip": True}}) == ["flip (None there, True here)"]
