"""What an earlier `wsloc seeds` left in its folder, known by its log, and how it goes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from wsloc.errors import DataError, OutputError
from wsloc.files import remove_abandoned
from wsloc.inputs.mask_classes import FILE_NAME as CLASSES
from wsloc.outputs.seed_files import coco_masks, image_list, sec_pickle
from wsloc.outputs.seed_files.formats import OVERLAYS, SUFFIXES, seed_path
from wsloc.outputs.seed_files.seed_log import NAME as LOG
from wsloc.outputs.seed_files.seed_log import read_seed_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_OF_A_RUN = (coco_masks.NAME, sec_pickle.NAME, image_list.NAME, CLASSES, "manifest.json")
PICTURES = ("png", "gray", OVERLAYS)
LOGS = (LOG, f"{LOG}.partial")


def earlier_seed_pictures(folder: Path) -> Iterator[Path]:
    """Where the pictures are that an earlier run wrote, by its log; without a log there was none."""
    for image in _logged_images(folder):
        yield from (seed_path(folder, name, image) for name in PICTURES)


def clear_earlier_seeds(folder: Path) -> None:
    """Remove what an earlier run left in the folder, so that nothing stale stands among new seeds.

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
            for name in (*SUFFIXES, OVERLAYS):
                path = seed_path(folder, name, image)
                path.unlink(missing_ok=True)
                places |= {path.parent, *path.parent.parents}
        inner = sorted((place for place in places if folder in place.parents), reverse=True)
        for place in (*inner, *([folder] if inner else [])):
            remove_abandoned(place)
        logs = [folder / name for name in LOGS if (folder / name).is_file()]
        own = [folder / name for name in FILES_OF_A_RUN] if logs else []
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
                for line in read_seed_log(folder / name):
                    yield line.image
