from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.boxes_layout import BOXES
from wsloc.outputs.predictions import record_line, write_predictions
from wsloc.outputs.run_results import RunResults, earlier_pictures
from wsloc.records import Failure

if TYPE_CHECKING:
    from pathlib import Path


def log(folder: Path, *images: str) -> None:
    write_predictions(folder, (record_line(Failure(image, "x")) for image in images))


def clear(folder: Path) -> None:
    RunResults(BOXES, folder, None, frozenset()).clear()


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def content(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", BOXES.logs)
def test_the_files_of_logged_images_go_and_no_others(tmp_path: Path, name: str) -> None:
    log(tmp_path, "a/b.jpg", "c.png")
    (tmp_path / "predictions.jsonl").rename(tmp_path / name)
    fill(tmp_path, "overlays/a/b.jpg.jpg", "maps/c.png.npz", "voc/a/b.xml", "yolo/c.txt", "yolo/classes.txt")
    fill(tmp_path, "draws/c.png.jpg", "overlays/mine.jpg", "overlays/b.jpg.jpg", "voc/c.txt")
    assert list(earlier_pictures(BOXES, tmp_path)) == [
        tmp_path / "overlays/a/b.jpg.jpg",
        tmp_path / "draws/a/b.jpg.jpg",
        tmp_path / "overlays/c.png.jpg",
        tmp_path / "draws/c.png.jpg",
    ]
    clear(tmp_path)
    assert content(tmp_path) == {
        *("overlays", "overlays/mine.jpg", "overlays/b.jpg.jpg"),
        *("voc", "voc/c.txt"),
    }
    assert list(earlier_pictures(BOXES, tmp_path)) == []


def test_what_a_killed_run_was_writing_goes(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        dead = process.pid
    log(tmp_path, "a/b.jpg")
    left = [f"overlays/a/.b.jpg.{dead}.partial.jpg", f"maps/a/.b.jpg.{dead}.partial.npz"]
    fill(tmp_path, *left, f".manifest.{dead}.partial.json", f"mine/.b.{dead}.partial.jpg")
    clear(tmp_path)
    assert content(tmp_path) == {"mine", f"mine/.b.{dead}.partial.jpg"}


def test_without_a_log_nothing_goes(tmp_path: Path) -> None:
    names = ("overlays/a.jpg.jpg", "coco.json", "overlays/.a.jpg.99999999.partial.jpg")
    fill(tmp_path, *names)
    clear(tmp_path)
    assert {name for name in content(tmp_path) if (tmp_path / name).is_file()} == set(names)


def test_the_folder_is_made_or_refused(tmp_path: Path) -> None:
    clear(tmp_path / "new/out")
    assert (tmp_path / "new/out").is_dir()
    fill(tmp_path, "file")
    with pytest.raises(OutputError, match="file is a file: name a folder for the results"):
        clear(tmp_path / "file")
