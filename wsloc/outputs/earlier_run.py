"""What an earlier `wsloc boxes` left in its folder, known by its log: the files of each image, and how they go."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError, OutputError
from wsloc.files import remove_abandoned
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.outputs.paths import output_path, stem
from wsloc.outputs.predictions import NAME as PREDICTIONS
from wsloc.outputs.predictions import read_predictions
from wsloc.records import Failure
from wsloc.running.unfinished import forget, logged_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.records import ImageFile

# Where each kind of file of an image goes.
FILES_OF_AN_IMAGE: dict[str, Callable[[Path, str], Path]] = {
    "overlays": lambda folder, image: output_path(folder / "overlays", image, ".jpg"),
    "draws": lambda folder, image: output_path(folder / "draws", image, ".jpg"),
    "npz": lambda folder, image: output_path(folder / "maps", image, ".npz"),
    "voc": lambda folder, image: output_path(folder / "voc", stem(image), ".xml"),
    "yolo": lambda folder, image: output_path(folder / "yolo", stem(image), ".txt"),
}
# What there is once, by the format that asks for it.
FILES_OF_A_RUN = {"csv": "predictions.csv", "coco": "coco.json", "yolo": "yolo/classes.txt"}
PICTURES = ("overlays", "draws")
LOGS = (PREDICTIONS, f"{PREDICTIONS}.partial")  # the second one of wsloc 0.1, interrupted


@dataclass(frozen=True, slots=True)
class BoxesResults:
    """The results of `wsloc boxes` in a folder, as `open_work` asks for them.

    Attributes:
        folder: of the results.
        files: the images of the run that is asked for, those of other shards left out; None if they are not known,
            and what stands there is not to be relied on.
        kinds: of `FILES_OF_AN_IMAGE` and `FILES_OF_A_RUN`, what that run writes.
    """

    folder: Path
    files: Sequence[ImageFile] | None
    kinds: frozenset[str]

    def identity(self) -> Mapping[str, Any] | None:
        """Of the complete run that stands there; empty if it is not known, None without one."""
        manifest = read_manifest(self.folder) or {}
        if isinstance(manifest.get("run"), dict):
            return dict(manifest["run"])
        return {} if any((self.folder / name).is_file() for name in LOGS) else None

    def are_whole(self) -> bool:
        """Whether all files of that run are there, and no image has changed since its manifest was written."""
        if self.files is None:
            return False
        try:
            written = (self.folder / MANIFEST).stat().st_mtime
            records = read_predictions(self.folder / PREDICTIONS)
            for file, record in zip(self.files, records, strict=True):
                if record.image != file.image or not self._is_whole(
                    record.image, isinstance(record, Failure)
                ):
                    return False
                with suppress(OSError):  # what is not there, and was not, has not changed
                    if file.path.stat().st_mtime > written:
                        return False
        except (OSError, DataError, ValueError):
            return False
        return all(
            (self.folder / FILES_OF_A_RUN[name]).is_file() for name in self.kinds & set(FILES_OF_A_RUN)
        )

    def _is_whole(self, image: str, failed: bool) -> bool:
        kinds = () if failed else self.kinds & set(FILES_OF_AN_IMAGE)
        return all(FILES_OF_AN_IMAGE[kind](self.folder, image).is_file() for kind in kinds)

    def clear(self) -> None:
        """Remove what an earlier run of wsloc left in the folder, so that nothing stale stands among new results.

        The earlier run's log tells which images it had. Without a log there was none, and nothing is removed. If it
        was killed, what it was just writing goes too.

        Raises:
            OutputError: if the folder is a file, or cannot be made or written to.
        """
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: name a folder for the results")
        places: set[Path] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for image in _images(folder):
                for where in FILES_OF_AN_IMAGE.values():
                    path = where(folder, image)
                    path.unlink(missing_ok=True)
                    places |= {path.parent, *path.parent.parents}
            inner = sorted((place for place in places if folder in place.parents), reverse=True)
            for place in (*inner, *([folder] if inner else [])):
                remove_abandoned(place)
            logs = [folder / name for name in LOGS if (folder / name).is_file()]
            own = [folder / name for name in (*FILES_OF_A_RUN.values(), MANIFEST)] if logs or inner else []
            for path in (*own, *logs):  # the logs last: without them the rest would stay
                path.unlink(missing_ok=True)
            forget(folder)
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {error.strerror or error}") from error
        for place in inner:
            with suppress(OSError):  # it is not there, or holds other files
                place.rmdir()

    def tidy(self, images: Iterable[str]) -> None:
        """Remove what a killed process was just writing: files of these images, and of all together.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        places = {
            where(self.folder, image).parent for image in images for where in FILES_OF_AN_IMAGE.values()
        }
        try:
            for place in {self.folder, self.folder / "yolo", *places}:
                remove_abandoned(place)
        except OSError as error:
            raise OutputError(f"cannot write to {self.folder}: {error.strerror or error}") from error


def earlier_pictures(folder: Path) -> Iterator[Path]:
    """Where the pictures are that an earlier run drew, by its log; without a log there was none."""
    for image in _images(folder):
        for kind in PICTURES:
            yield FILES_OF_AN_IMAGE[kind](folder, image)


def _images(folder: Path) -> Iterator[str]:
    """The ids of an earlier run's images; of somebody else's file, or a damaged one, what can be read."""
    yield from logged_images(folder)
    for name in LOGS:
        with suppress(DataError):
            if (folder / name).is_file():
                for record in read_predictions(folder / name):
                    yield record.image
