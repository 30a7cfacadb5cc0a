"""What an earlier `wsloc boxes` left in its folder, known by its log: the files of each image, and how they go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from wsloc.errors import DataError, OutputError
from wsloc.files import remove_abandoned
from wsloc.outputs.paths import output_path, stem
from wsloc.outputs.predictions import read_predictions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN_FILES = ("predictions.csv", "coco.json", "manifest.json", "yolo/classes.txt")
PICTURE_FOLDERS = ("overlays", "draws")
LOGS = ("predictions.jsonl", "predictions.jsonl.partial")


def earlier_pictures(folder: Path) -> Iterator[Path]:
    """Where the pictures are that an earlier run drew, by its log; without a log there was none."""
    for image in _logged_images(folder):
        yield from _pictures(image, folder)


def clear_earlier_run(folder: Path) -> None:
    """Remove what an earlier run of wsloc left in the folder, so that nothing stale stands among new results.

    The earlier run's log tells which images it had. Without a log there was none, and nothing is removed. If it
    was killed, what it was just writing goes too.

    Raises:
        OutputError: if the folder is a file, or cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: name a folder for the results")
    places: set[Path] = set()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for image in _logged_images(folder):
            for path in _named_after(image, folder):
                path.unlink(missing_ok=True)
                places |= {path.parent, *path.parent.parents}
        inner = sorted((place for place in places if folder in place.parents), reverse=True)
        for place in (*inner, *([folder] if inner else [])):
            remove_abandoned(place)
        logs = [folder / name for name in LOGS if (folder / name).is_file()]
        own = [folder / name for name in OWN_FILES] if logs else []
        for path in (*own, *logs):  # the logs last: without them the rest would stay
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
    for place in inner:
        with suppress(OSError):  # it is not there, or holds other files
            place.rmdir()


def _logged_images(folder: Path) -> Iterator[str]:
    """The ids of an earlier run's images; of somebody else's file, or a damaged one, what can be read."""
    for name in LOGS:
        with suppress(DataError):
            if (folder / name).is_file():
                for record in read_predictions(folder / name):
                    yield record.image


def _pictures(image: str, folder: Path) -> Iterator[Path]:
    return (output_path(folder / name, image, ".jpg") for name in PICTURE_FOLDERS)


def _named_after(image: str, folder: Path) -> tuple[Path, ...]:
    """The files of an image in every format that has one an image."""
    return (
        *_pictures(image, folder),
        output_path(folder / "maps", image, ".npz"),
        output_path(folder / "voc", stem(image), ".xml"),
        output_path(folder / "yolo", stem(image), ".txt"),
    )
