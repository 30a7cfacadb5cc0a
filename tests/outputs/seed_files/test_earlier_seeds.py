from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.predictions import json_line
from wsloc.outputs.seed_files.earlier_seeds import LOGS, clear_earlier_seeds, earlier_seed_pictures

if TYPE_CHECKING:
    from pathlib import Path


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def content(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("log", LOGS)
def test_the_files_of_logged_images_go_and_no_others(tmp_path: Path, log: str) -> None:
    own = ("png/a/b.png", "gray/a/b.png", "irn/a/b.npy", "psa/a/b.npy", "npz/a/b.npz", "overlays/a/b.jpg.jpg")
    of_a_run = ("coco.json", "localization_cues.pickle", "list.txt", "classes.json", "manifest.json")
    theirs = ("png/mine.png", "notes.txt", "maps/a/b.jpg.npz")
    fill(tmp_path, *own, *of_a_run, *theirs, "png/a/.b.99999999.partial.png")
    (tmp_path / log).write_bytes(json_line({"image": "a/b.jpg", "error": "x"}))
    assert list(earlier_seed_pictures(tmp_path)) == [tmp_path / own[0], tmp_path / own[1], tmp_path / own[5]]
    clear_earlier_seeds(tmp_path)
    assert content(tmp_path) == set(theirs)
    assert not (tmp_path / "irn").exists()


def test_without_a_log_everything_stays(tmp_path: Path) -> None:
    fill(tmp_path, "png/a.png", "list.txt", "coco.json")
    clear_earlier_seeds(tmp_path)
    assert content(tmp_path) == {"png/a.png", "list.txt", "coco.json"}
    clear_earlier_seeds(tmp_path / "new/folder")
    assert (tmp_path / "new/folder").is_dir()


def test_a_strange_log_does_no_harm(tmp_path: Path) -> None:
    fill(tmp_path / "inner", "png/a.png")
    fill(tmp_path, "a.png")
    (tmp_path / "inner/seeds.jsonl").write_bytes(json_line({"image": "../../a.png", "error": ""}) + b"\xff\n")
    clear_earlier_seeds(tmp_path / "inner")
    assert content(tmp_path) == {"a.png", "inner/png/a.png"}


def test_the_output_is_no_file(tmp_path: Path) -> None:
    fill(tmp_path, "out")
    with pytest.raises(OutputError, match="out is a file: name a folder"):
        clear_earlier_seeds(tmp_path / "out")
    with pytest.raises(OutputError, match="cannot write to"):
        clear_earlier_seeds(tmp_path / "out/inner")
