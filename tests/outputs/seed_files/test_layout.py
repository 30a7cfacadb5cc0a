from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.predictions import json_line
from wsloc.outputs.run_results import RunResults, earlier_pictures
from wsloc.outputs.seed_files.layout import SEEDS, kinds_of_seeds

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def clear(folder: Path) -> None:
    RunResults(SEEDS, folder, None, frozenset()).clear()


def content(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("log", SEEDS.logs)
def test_the_files_of_logged_images_go_and_no_others(tmp_path: Path, log: str) -> None:
    own = ("png/a/b.png", "gray/a/b.png", "irn/a/b.npy", "psa/a/b.npy", "npz/a/b.npz", "overlays/a/b.jpg.jpg")
    of_a_run = ("coco.json", "localization_cues.pickle", "list.txt", "classes.json", "manifest.json")
    theirs = ("png/mine.png", "notes.txt", "maps/a/b.jpg.npz")
    fill(tmp_path, *own, *of_a_run, *theirs, "png/a/.b.99999999.partial.png")
    (tmp_path / log).write_bytes(json_line({"image": "a/b.jpg", "error": "x"}))
    assert list(earlier_pictures(SEEDS, tmp_path)) == [
        tmp_path / own[0],
        tmp_path / own[1],
        tmp_path / own[5],
    ]
    clear(tmp_path)
    assert content(tmp_path) == set(theirs)
    assert not (tmp_path / "irn").exists()


def test_without_a_log_everything_stays(tmp_path: Path) -> None:
    fill(tmp_path, "png/a.png", "list.txt", "coco.json")
    clear(tmp_path)
    assert content(tmp_path) == {"png/a.png", "list.txt", "coco.json"}
    clear(tmp_path / "new/folder")
    assert (tmp_path / "new/folder").is_dir()


def test_a_strange_log_does_no_harm(tmp_path: Path) -> None:
    fill(tmp_path / "inner", "png/a.png")
    fill(tmp_path, "a.png")
    (tmp_path / "inner/seeds.jsonl").write_bytes(json_line({"image": "../../a.png", "error": ""}) + b"\xff\n")
    clear(tmp_path / "inner")
    assert content(tmp_path) == {"a.png", "inner/png/a.png"}


def test_the_output_is_no_file(tmp_path: Path) -> None:
    fill(tmp_path, "out")
    with pytest.raises(OutputError, match="out is a file: name a folder"):
        clear(tmp_path / "out")
    with pytest.raises(OutputError, match="cannot write to"):
        clear(tmp_path / "out/inner")


def test_a_shard_leaves_what_is_made_of_all_records() -> None:
    whole = {"formats": "coco,irn,png", "overlays": True, "shard": None}
    assert kinds_of_seeds(whole) == {"png", "irn", "coco", "overlays", "list", "classes"}
    assert kinds_of_seeds({**whole, "shard": "1/2"}) == {"png", "irn", "overlays"}
    assert kinds_of_seeds({**whole, "formats": "sec", "overlays": False}) == {"sec", "list", "classes"}
