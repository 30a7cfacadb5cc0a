from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import DataError, RunError, UsageError
from wsloc.inputs.images import find_images
from wsloc.merger import merge_shards
from wsloc.outputs.seed_files.formats import SEED_FORMATS
from wsloc.request import Request
from wsloc.runner import ALL_FORMATS, RunOptions, run_boxes
from wsloc.running.shards import Shard
from wsloc.seeder import SeedOptions, SeedSummary, run_seeds
from wsloc.seeding.request import SeedRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.localizer import Localizer

    Run = Callable[..., Path]


@pytest.fixture
def run(ep: Localizer, scenes: Path, tmp_path: Path) -> Run:
    """`run("name", number, count)` runs a shard, or everything, over four images and a damaged one."""
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / "a/bad.jpg").write_bytes(b"no image")

    def go(
        name: str, number: int = 1, count: int = 1, request: Request | None = None, **options: Any
    ) -> Path:
        folder = tmp_path / name
        settings = {
            "formats": ALL_FORMATS,
            "batch_size": 1,
            "arguments": {"output": folder, "shard": None},
            **options,
        }
        if count > 1:
            settings["arguments"] = {"output": folder, "shard": f"{number}/{count}"}
        run_boxes(
            ep,
            find_images([images]),
            request or Request(classes=2),
            RunOptions(folder, shard=Shard(number, count), **settings),
        )
        return folder

    return go


def results(folder: Path) -> dict[str, Any]:
    """Every file by its path; the manifest without what two runs differ in."""
    found: dict[str, Any] = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    manifest = json.loads(found["manifest.json"])
    del manifest["started"], manifest["seconds"], manifest["arguments"]["output"]
    return found | {"manifest.json": list(manifest.items())}  # in its order


@pytest.mark.parametrize(("count", "batch_size"), [(2, 1), (3, 2), (7, 1)])
def test_shards_are_joined_to_the_bytes_of_one_run(
    run: Run, tmp_path: Path, count: int, batch_size: int
) -> None:
    whole = run("whole", batch_size=batch_size)
    shards = [run(f"shard-{i}", i, count, batch_size=batch_size) for i in range(1, count + 1)]
    done: list[int] = []
    summary = merge_shards(shards[::-1], tmp_path / "out", on_batch=done.append)
    assert results(tmp_path / "out") == results(whole)
    assert sum(done) == summary.images == 5
    assert [failure.image for failure in summary.failures] == ["a/bad.jpg"]
    assert summary.map == "entropy-class"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in whole.iterdir()
    )


@pytest.mark.parametrize(("count", "batch_size"), [(2, 1), (3, 2)])
def test_shards_of_seeds_are_joined_to_the_bytes_of_one_run(
    gap: Localizer, scenes: Path, tmp_path: Path, count: int, batch_size: int
) -> None:
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / "a/bad.jpg").write_bytes(b"no image")

    def run(name: str, shard: Shard) -> Path:
        arguments = {"output": name, "shard": None if shard.is_whole else str(shard)}
        options = SeedOptions(
            tmp_path / name,
            SEED_FORMATS,
            overlays=True,
            batch_size=batch_size,
            shard=shard,
            arguments=arguments,
        )
        run_seeds(gap, find_images([images]), SeedRequest(2), options)
        return tmp_path / name

    whole = run("whole", Shard())
    shards = [run(f"shard-{i}", Shard(i, count)) for i in range(1, count + 1)]
    assert not {path.name for path in shards[0].iterdir()} & {"list.txt", "coco.json", "classes.json"}
    summary = merge_shards(shards, tmp_path / "out")
    assert results(tmp_path / "out") == results(whole)
    assert isinstance(summary, SeedSummary)
    assert (summary.images, summary.predicted, summary.coverage.images) == (5, 4, 4)
    assert [failure.image for failure in summary.failures] == ["a/bad.jpg"]
    # One run has nothing left to do where shards were joined.
    options = SeedOptions(tmp_path / "out", SEED_FORMATS, overlays=True, batch_size=batch_size)
    again = run_seeds(gap, find_images([images]), SeedRequest(2), options)
    assert again is not None
    assert again.skipped == 5


def test_a_shard_leaves_to_the_merge_what_is_made_of_all_records(run: Run) -> None:
    shard = run("shard", 1, 2)
    assert {path.name for path in shard.iterdir()} == {
        "predictions.jsonl",
        "manifest.json",
        "overlays",
        "maps",
    }


def test_files_of_images_are_links_or_copies(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = [run(f"shard-{i}", i, 2) for i in (1, 2)]
    merge_shards(shards, tmp_path / "linked")
    name = "overlays/key.png.jpg"
    (source,) = (shard / name for shard in shards if (shard / name).exists())
    assert (tmp_path / "linked" / name).samefile(source)

    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    merge_shards(shards, tmp_path / "copied")
    assert not (tmp_path / "copied" / name).samefile(source)
    assert results(tmp_path / "copied") == results(tmp_path / "linked")


def test_a_merge_is_gone_on_with_and_can_be_done_again(run: Run, tmp_path: Path) -> None:
    shards, out = [run(f"shard-{i}", i, 2) for i in (1, 2)], tmp_path / "out"

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_shards(shards, out, on_batch=interrupt)
    assert not (out / "predictions.jsonl").exists()
    merge_shards(shards, out)
    first = results(out)
    merge_shards(shards, out)
    assert results(out) == first
    other = [run(f"other-{i}", i, 2, Request(map="cam")) for i in (1, 2)]
    with pytest.raises(UsageError, match=r"holds the results of another run, .*map"):
        merge_shards(other, out)
    merge_shards(other, out, overwrite=True)
    assert not (out / ".wsloc-unfinished").exists()


def test_an_interrupted_merge_is_one_that_a_run_can_go_on_with(run: Run, tmp_path: Path) -> None:
    """What shards have done, one run need not do: a batch is a batch."""
    shards, out = [run(f"shard-{i}", i, 2) for i in (1, 2)], tmp_path / "out"
    done: list[int] = []

    def interrupt(images: int) -> None:
        done.append(images)
        if len(done) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge_shards(shards, out, on_batch=interrupt)
    run("out")
    assert results(out) == results(run("whole"))


def test_shards_that_do_not_fit_are_refused(run: Run, tmp_path: Path) -> None:
    first, second = run("1", 1, 2), run("2", 2, 2)
    for folders, words in (
        ([first], r"shard 2/2 is missing: name its folder, too"),
        ([first, second, first], "are the same shard"),
        ([first, run("3", 2, 3)], r"are not of one run: number of shards \(2 there, 3 here\)"),
        ([first, run("cam", 2, 2, Request(map="cam"))], "are not of one run: .*map"),
        ([first, run("whole")], "does not hold a shard: name folders that `--shard I/N` wrote"),
        ([first, tmp_path / "images"], "does not hold a shard"),
    ):
        with pytest.raises(RunError, match=words):
            merge_shards(folders, tmp_path / "out")
    with pytest.raises(UsageError, match="gone is not there"):
        merge_shards([first, tmp_path / "gone"], tmp_path / "out")
    with pytest.raises(UsageError, match="is one of the shards: name another"):
        merge_shards([first, second], tmp_path / "x/../1")
    assert not (tmp_path / "out").exists()


def test_a_shard_that_is_not_whole_is_named(run: Run, tmp_path: Path) -> None:
    shards = [run(f"shard-{i}", i, 2) for i in (1, 2)]
    (maps,) = (path for shard in shards for path in shard.glob("maps/key.png.npz"))
    kept = maps.read_bytes()
    maps.unlink()
    with pytest.raises(RunError, match=r"key\.png\.npz is missing: run the command of that shard again"):
        merge_shards(shards, tmp_path / "out")
    maps.write_bytes(kept)
    lines = (shards[0] / "predictions.jsonl").read_bytes()
    (shards[0] / "predictions.jsonl").write_bytes(lines[:-9])
    with pytest.raises(DataError, match=r"shard-1/predictions\.jsonl"):
        merge_shards(shards, tmp_path / "out")
    (shards[0] / "predictions.jsonl").unlink()
    with pytest.raises(RunError, match=r"cannot read .*shard-1/predictions\.jsonl: No such file"):
        merge_shards(shards, tmp_path / "out")
    (shards[0] / "predictions.jsonl").write_bytes(lines)
    assert merge_shards(shards, tmp_path / "out").images == 5


def test_an_unfinished_shard_is_named(run: Run, ep: Localizer, tmp_path: Path) -> None:
    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    files, options = find_images([tmp_path / "images"]), RunOptions(tmp_path / "2", shard=Shard(2, 2))
    with pytest.raises(KeyboardInterrupt):
        run_boxes(ep, [*files, *files], Request(), RunOptions(tmp_path / "2", batch_size=1), interrupt)
    assert options.shard.number == 2
    with pytest.raises(RunError, match=r"2 is unfinished: run its command again, then merge"):
        merge_shards([run("1", 1, 2), tmp_path / "2"], tmp_path / "out")


def test_records_of_other_images_are_refused(run: Run, tmp_path: Path) -> None:
    """A shard's records may have been replaced by another's, each line whole."""
    folders = [run(f"s{number}", number, 2, formats=("jsonl",), overlays=False) for number in (1, 2)]
    lines = (folders[0] / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    (folders[1] / "predictions.jsonl").write_bytes(b"".join(lines[:2]))
    with pytest.raises(RunError, match=r"s2/predictions.jsonl do not tell of the images that the shards had"):
        merge_shards(folders, tmp_path / "out")
    assert not (tmp_path / "out/predictions.jsonl").exists()
