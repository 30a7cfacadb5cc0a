from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.evaluation.example_data_set import write_data_set

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.conftest import Outcome

    Command = Callable[..., Outcome]


def shards(command: Command, checkpoint: Path, images: Path, folder: Path) -> list[Path]:
    for number in (1, 2):
        ran = command(
            *("boxes", images, "--checkpoint", checkpoint, "--batch-size", 2, "--workers", 0),
            *("-o", folder / f"s{number}", "--shard", f"{number}/2", "-q"),
        )
        assert ran.code in (0, 3)
    return [folder / "s1", folder / "s2"]


def test_shards_become_one_run(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    folders = shards(command, ep_checkpoint, scenes, tmp_path)
    whole = command(
        *(
            "boxes",
            scenes,
            "--checkpoint",
            ep_checkpoint,
            "--batch-size",
            2,
            "--workers",
            0,
            "-o",
            tmp_path / "whole",
        )
    )
    ran = command("merge", *folders, "-o", tmp_path / "out", "-v")
    assert (ran.code, ran.stderr) == (0, "2 shards\n")
    assert ran.stdout.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["arguments"]["output"] == str(tmp_path / "out")
    assert manifest["arguments"]["shard"] is None
    ran = command("merge", *folders, "-o", tmp_path / "out", "--json")
    document = json.loads(ran.stdout)
    assert (document["images"], document["failed"], document["map"]) == (4, 0, "entropy-class")


def test_shards_of_seeds_too(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        "seeds",
        scenes,
        "--checkpoint",
        gap_checkpoint,
        "--batch-size",
        2,
        "--workers",
        0,
        "--class",
        1,
    )
    for number in (1, 2):
        ran = command(*options, "-o", tmp_path / f"s{number}", "--shard", f"{number}/2", "-q")
        assert (ran.code, ran.stderr) == (0, "")
    whole = command(*options, "-o", tmp_path / "whole")
    monkeypatch.chdir(tmp_path)
    ran = command("merge", "s1", "s2")
    assert (ran.code, ran.stderr) == (0, whole.stderr)
    assert ran.stdout.splitlines()[:-1] == whole.stdout.splitlines()[:-1]
    assert ran.stdout.endswith("-> wsloc-seeds\n")
    assert (tmp_path / "wsloc-seeds/list.txt").read_bytes() == (tmp_path / "whole/list.txt").read_bytes()


def test_shards_of_an_evaluation_too(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All options come out of the manifest as they went in; the report is that of one run, to the byte."""
    data = write_data_set(tmp_path / "val", count=5)
    (data / "images/3.png").write_bytes(b"no picture")
    listed = tmp_path / "blacklist.txt"
    listed.write_text("4.png\n")
    options = (
        *("eval", "--annotations", data, "--checkpoint", "demo", "--threshold-step", 0.25),
        *("--map", "entropy", "--layer", "ep", "--mass", "0.98,0.9", "--scales", "1,1.5", "--flip"),
        *("--tune-on", data, "--batch-size", 2, "--workers", 0, "--precision", "float32"),
        *("--resize", "keep", "--blacklist", listed),
    )
    for number in (1, 2):
        ran = command(*options, "-o", tmp_path / f"s{number}", "--shard", f"{number}/2", "--json")
        assert ran.code == (0, 3)[number - 1], ran.stderr
        document = json.loads(ran.stdout)
        assert (document["shard"], document["failed"]) == (f"{number}/2", number - 1)
    ran = command(*options, "-o", tmp_path / "s1", "--shard", "1/2")
    assert ran.stderr.startswith("nothing is left to do")
    assert "shard 1/2: 3 images, 0 failed -> " in ran.stdout
    monkeypatch.chdir(tmp_path)
    whole = command(*options, "-o", "wsloc-eval")
    report = {path.name: path.read_bytes() for path in (tmp_path / "wsloc-eval").iterdir()}
    shutil.rmtree("wsloc-eval")
    ran = command("merge", "s1", "s2")
    assert (ran.code, ran.stdout, ran.stderr) == (3, whole.stdout, whole.stderr)
    assert {path.name: path.read_bytes() for path in (tmp_path / "wsloc-eval").iterdir()} == report
    manifest = json.loads((tmp_path / "s1/manifest.json").read_text())
    edited: list[object] = [{}, None, [1]]
    for damaged in edited:
        (tmp_path / "s1/manifest.json").write_text(json.dumps({**manifest, "arguments": damaged}))
        ran = command("merge", "s1", "s2")
        assert ran.code == 1
        assert ran.stderr.startswith("wsloc: error: s1/manifest.json is not as ")
    (tmp_path / "s1/manifest.json").write_text(json.dumps(manifest))
    ran = command("merge", "s1", "s2", "-o", "s2")
    assert ran.stderr == "wsloc: error: s2 is one of the shards: name another --output\n"


def scored_shards(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
    """Both shards of an evaluation, `s1` and `s2` in a folder, run from there with paths relative to it."""
    folder.mkdir()
    write_data_set(folder / "val", count=4)
    monkeypatch.chdir(folder)
    for number in (1, 2):
        ran = command(
            *("eval", "val/images", "--annotations", "val", "--checkpoint", "demo", "--threshold-step", 0.25),
            *(
                "--batch-size",
                2,
                "--workers",
                0,
                "-o",
                f"s{number}",
                "--shard",
                f"{number}/2",
                "-q",
                *options,
            ),
        )
        assert (ran.code, ran.stderr) == (0, "")


def test_relative_paths_are_those_of_the_shards(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards may be merged from another working folder than they were run in, or be brought with their data."""
    scored_shards(command, tmp_path / "node", monkeypatch)
    ran = command("merge", "s1", "s2", "-o", "joined", "-q")
    report = Path("joined/report.json").read_bytes()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    for folder in ("../node", "."):
        ran = command("merge", f"{folder}/s1", f"{folder}/s2", "-o", "joined", "-q")
        assert (ran.code, ran.stderr) == (0, "")
        assert Path("joined/report.json").read_bytes() == report
        shutil.rmtree("joined")
        if folder == "../node":
            for path in (tmp_path / "node").iterdir():
                path.rename(tmp_path / "home" / path.name)
    Path("val").rename("elsewhere")
    ran = command("merge", "s1", "s2", "-o", "joined", "-q")
    places = f"{tmp_path / 'node'} nor in {tmp_path / 'home'}"
    said = (
        f"val, which s1 was scored against, is not in {places}: bring it back, or merge where the shards ran"
    )
    assert (ran.code, ran.stderr) == (1, f"wsloc: error: {said}\n")


def test_a_merge_compiles_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no compiler: nothing goes through its network."""
    monkeypatch.setattr("wsloc.networks.compiled.compile_trunk", lambda *_: None)
    scored_shards(command, tmp_path / "node", monkeypatch, "--compile")

    def compile_trunk(*_: object) -> None:
        raise AssertionError("there is no compiler on this machine")

    monkeypatch.setattr("wsloc.networks.compiled.compile_trunk", compile_trunk)
    ran = command("merge", "s1", "s2", "-o", "joined", "-q")
    assert (ran.code, ran.stderr) == (0, "")
    assert json.loads(Path("joined/report.json").read_text())["arguments"]["compiled"] is True


def test_options_that_are_missing_in_a_manifest_are_an_error_of_its_file(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored_shards(command, tmp_path / "node", monkeypatch)
    manifest = json.loads(Path("s1/manifest.json").read_text())
    del manifest["arguments"]["compare"]
    Path("s1/manifest.json").write_text(json.dumps(manifest))
    ran = command("merge", "s1", "s2", "-o", "joined")
    assert ran.code == 1
    assert ran.stderr == (
        "wsloc: error: s1/manifest.json is not as `wsloc eval` wrote it (KeyError('compare')): "
        "run the command of that shard again with --overwrite\n"
    )


def test_of_several_processes_the_leading_one_merges(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    ran = command("merge", tmp_path / "s1", "-o", tmp_path / "joined", "--json")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "")


def test_a_shard_of_what_takes_seconds_is_refused(command: Command, tmp_path: Path) -> None:
    ran = command("eval", "--annotations", tmp_path, "--seeds", tmp_path, "--shard", "1/2")
    assert ran.code == 2
    assert "--shard goes with --checkpoint or --model" in ran.stderr


def test_failed_images_are_told(command: Command, ep_checkpoint: Path, scenes: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(scenes, images)
    (images / "bad.jpg").touch()
    ran = command("merge", *shards(command, ep_checkpoint, images, tmp_path), "-o", tmp_path / "out", "-q")
    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr.endswith("bad.jpg: is empty\n")


def test_what_cannot_be_merged_is_one_line(command: Command, tmp_path: Path) -> None:
    ran = command("merge", tmp_path, "-o", tmp_path / "out")
    assert (ran.code, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"wsloc: error: {tmp_path} does not hold a shard: name folders that `--shard I/N` wrote\n"
    )
    assert command("merge", tmp_path / "gone").code == 2
    assert command("merge").code == 2


def test_a_command_does_not_overwrite_what_another_has_written(
    command: Command, gap_checkpoint: Path, scenes: Path, tmp_path: Path
) -> None:
    """Seeds know nothing of overlays and predictions of boxes: these would stay among them."""
    out = tmp_path / "out"
    assert command("boxes", scenes, "--checkpoint", gap_checkpoint, "-o", out, "-q").code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for options in ((), ("--overwrite",)):
        ran = command("seeds", scenes, "--checkpoint", gap_checkpoint, "-o", out, *options)
        assert (ran.code, ran.stdout) == (2, "")
        assert ran.stderr.endswith(
            f"wsloc: error: {out} holds results of wsloc boxes, which wsloc seeds does not replace: remove them, or "
            "name another --output\n"
        )
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
