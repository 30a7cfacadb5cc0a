"""The results of a command over images in its folder, known by their log: the files of each image, how they go."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsloc.errors import DataError, OutputError
from wsloc.files import reason, remove_abandoned
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.records import Failure
from wsloc.running.plans import forget, logged_images

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.records import ImageFile


@dataclass(frozen=True, slots=True)
class Layout:
    """Which files a command writes, and where.

    Attributes:
        log: name of the file with a line an image, which tells of all the others.
        read: the records of a log, each with its `image`, or a `Failure`.
        parse: the record of one line, with where it stands, for messages.
        of_an_image: kind -> the file of an image, from the folder and the image's id.
        of_a_run: kind -> the name of what there is once.
        pictures: kinds of files of an image that are pictures, and could be taken for inputs.
    """

    log: str
    read: Callable[[Path], Iterator[Any]]
    parse: Callable[[bytes, str], Any]
    of_an_image: Mapping[str, Callable[[Path, str], Path]]
    of_a_run: Mapping[str, str]
    pictures: tuple[str, ...]

    @property
    def logs(self) -> tuple[str, str]:
        """The log, and what it was called in wsloc 0.1 until a run was complete."""
        return self.log, f"{self.log}.partial"


@dataclass(frozen=True, slots=True)
class RunResults:
    """The results of a command in a folder, as `open_work` asks for them.

    Attributes:
        layout: of the command.
        folder: of the results.
        files: the images of the run that is asked for, those of other shards left out; None if they are not known,
            and what stands there is not to be relied on.
        kinds: of the layout, what that run writes.
        beside: image id -> another file that its results are made of.
    """

    layout: Layout
    folder: Path
    files: Sequence[ImageFile] | None
    kinds: frozenset[str]
    beside: Mapping[str, Path] = field(default_factory=dict)

    def identity(self) -> Mapping[str, Any] | None:
        """Of the complete run that stands there; empty if it is not known, None without one."""
        manifest = read_manifest(self.folder) or {}
        if isinstance(manifest.get("run"), dict):
            return dict(manifest["run"])
        return {} if any((self.folder / name).is_file() for name in self.layout.logs) else None

    def are_whole(self) -> bool:
        """Whether all files of that run are there, and no image has changed since its manifest was written."""
        if self.files is None:
            return False
        try:
            written = (self.folder / MANIFEST).stat().st_mtime
            records = self.layout.read(self.folder / self.layout.log)
            for file, record in zip(self.files, records, strict=True):
                if record.image != file.image or not self._is_whole(
                    record.image, isinstance(record, Failure)
                ):
                    return False
                for source in {file.path, self.beside.get(file.image, file.path)}:
                    with suppress(OSError):  # what is not there, and was not, has not changed
                        if source.stat().st_mtime > written:
                            return False
        except (OSError, DataError, ValueError):
            return False
        once = self.layout.of_a_run
        return all((self.folder / once[name]).is_file() for name in self.kinds & set(once))

    def _is_whole(self, image: str, failed: bool) -> bool:
        each = self.layout.of_an_image
        kinds = () if failed else self.kinds & set(each)
        return all(each[kind](self.folder, image).is_file() for kind in kinds)

    def clear(self) -> None:
        """Remove what an earlier run of wsloc left in the folder, so that nothing stale stands among new results.

        The earlier run's log tells which images it had. Without a log there was none, and nothing is removed. If it
        was killed, what it was just writing goes too.

        Raises:
            OutputError: if the folder is a file, or cannot be made or written to.
        """
        folder, layout = self.folder, self.layout
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: name a folder for the results")
        places: set[Path] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for image in _images(layout, folder):
                for where in layout.of_an_image.values():
                    path = where(folder, image)
                    path.unlink(missing_ok=True)
                    places |= {path.parent, *path.parent.parents}
            inner = sorted((place for place in places if folder in place.parents), reverse=True)
            for place in (*inner, *([folder] if inner else [])):
                remove_abandoned(place)
            logs = [folder / name for name in layout.logs if (folder / name).is_file()]
            own = [folder / name for name in (*layout.of_a_run.values(), MANIFEST)] if logs or inner else []
            for path in (*own, *logs):  # the logs last: without them the rest would stay
                path.unlink(missing_ok=True)
            forget(folder)
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {reason(error)}") from error
        for place in inner:
            with suppress(OSError):  # it is not there, or holds other files
                place.rmdir()

    def tidy(self, images: Iterable[str]) -> None:
        """Remove what a killed process was just writing: files of these images, and of all together.

        Raises:
            OutputError: if the folder cannot be written to.
        """
        folder, layout = self.folder, self.layout
        once = {(folder / name).parent for name in layout.of_a_run.values()}
        each = {where(folder, image).parent for image in images for where in layout.of_an_image.values()}
        try:
            for place in {folder, *once, *each}:
                remove_abandoned(place)
        except OSError as error:
            raise OutputError(f"cannot write to {folder}: {reason(error)}") from error


def earlier_pictures(layout: Layout, folder: Path) -> Iterator[Path]:
    """Where the pictures are that an earlier run wrote, by its log; without a log there was none."""
    for image in _images(layout, folder):
        for kind in layout.pictures:
            yield layout.of_an_image[kind](folder, image)


def _images(layout: Layout, folder: Path) -> Iterator[str]:
    """The ids of an earlier run's images; of somebody else's file, or a damaged one, what can be read."""
    yield from logged_images(folder)
    for name in layout.logs:
        with suppress(DataError):
            if (folder / name).is_file():
                for record in layout.read(folder / name):
                    yield record.image
