"""A folder of images through a localizer and into files: what `wsloc boxes` does."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wsloc.errors import UsageError
from wsloc.outputs.draws import draws_sheet
from wsloc.outputs.earlier_run import clear_earlier_run
from wsloc.outputs.formats import CHECKS, FORMATS
from wsloc.outputs.manifest import write_manifest
from wsloc.outputs.maps import save_maps
from wsloc.outputs.overlays import save_overlay
from wsloc.outputs.paths import output_path
from wsloc.outputs.predictions import PredictionLog, read_predictions
from wsloc.records import Failure, Localization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile
    from wsloc.request import Request

ALL_FORMATS = ("jsonl", *FORMATS, "npz")
WRITERS = 2  # threads that draw and encode beside the network; both release Python's lock
FLAT = 1e-6  # relative spread below which a map says nothing of where


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out; nothing here changes a box.

    Attributes:
        folder: where the results go.
        formats: of `ALL_FORMATS`; jsonl is always written.
        overlays: whether to draw the pictures.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        arguments: of the command, for the manifest.
        checkpoint: the weights file, for the manifest; None where no file was read.
        model: the model's name, for the manifest.

    Raises:
        UsageError: if a format is not known.
    """

    folder: Path
    formats: tuple[str, ...] = ("jsonl",)
    overlays: bool = True
    batch_size: int = 16
    workers: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in ALL_FORMATS]
        if unknown:
            raise UsageError(f"unknown format {unknown[0]!r}: choose from {', '.join(ALL_FORMATS)}")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run came to.

    Attributes:
        images: how many were asked for.
        failures: those that could not be used.
        classes: how many images have each class name as their best prediction, most frequent first.
        first: the first few records, for a table.
        without_mass: images whose map was empty, so that the box is the whole image.
        flat: images whose map has one value everywhere (a grid of 1 x 1, a blank picture).
        seconds: of the whole run.
        manifest: the file that documents it.
    """

    images: int
    failures: tuple[Failure, ...]
    classes: dict[str, int]
    first: tuple[Localization, ...]
    without_mass: int
    flat: int
    seconds: float
    manifest: Path


def run_boxes(
    localizer: Localizer,
    files: Sequence[ImageFile],
    request: Request,
    options: RunOptions,
    on_batch: Callable[[int], None] | None = None,
) -> RunSummary:
    """Localize every image and write predictions, overlays, maps and the manifest.

    Memory does not grow with the number of images. wsloc's own files of an earlier run in the folder are
    replaced, other files are left.

    Args:
        localizer: from `wsloc.load`.
        files: the images.
        request: what is asked of each.
        options: how to run.
        on_batch: called with the number of images done since the last call.

    Raises:
        OutputError: if something cannot be written, or two images would share a file.
        UnsupportedError: if the network and the map do not go together, or a batch does not fit into memory.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    localizer.check(request)
    for name in set(options.formats) & set(CHECKS):
        CHECKS[name](lambda: (file.image for file in files), options.folder)
    clear_earlier_run(options.folder)
    tally = _Tally()
    records_of_batches = localizer.localize_files(
        files,
        request,
        batch_size=options.batch_size,
        workers=options.workers,
        with_pictures=options.overlays or request.show_draws > 0,
    )
    with (
        PredictionLog(options.folder) as log,
        ThreadPoolExecutor(WRITERS) as pool,
        closing(records_of_batches) as batches,
    ):
        drawn: list[Future[None]] = []
        for records in batches:
            for job in drawn:  # at most one batch of pictures waits to be drawn
                job.result()
            # Lines first: what the log does not know, the next run in this folder would not remove.
            for record in records:
                log.write(record)
                tally.add(record)
            drawn = [
                pool.submit(_write_pictures, localizer, record, options)
                for record in records
                if isinstance(record, Localization)
            ]
            if on_batch is not None:
                on_batch(len(records))
        for job in drawn:
            job.result()
    for name in options.formats:
        if name in FORMATS:
            FORMATS[name](lambda: read_predictions(log.path), localizer.classes, options.folder)
    seconds = time.perf_counter() - clock
    manifest = write_manifest(
        options.folder,
        arguments=options.arguments,
        checkpoint=options.checkpoint,
        model=options.model,
        device=str(localizer.device),
        images=len(files),
        failures=tally.failures,
        started=started,
        seconds=seconds,
    )
    return tally.summary(len(files), seconds, manifest)


class _Tally:
    """What is counted as records go by."""

    SHOWN = 20

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.classes: Counter[str] = Counter()
        self.first: list[Localization] = []
        self.without_mass = 0
        self.flat = 0

    def add(self, record: Localization | Failure) -> None:
        if isinstance(record, Failure):
            self.failures.append(record)
            return
        self.flat += _is_flat(record)
        if record.predictions:
            self.classes[record.predictions[0].class_name] += 1
            self.without_mass += record.predictions[0].mass == 0
        if len(self.first) < self.SHOWN:
            self.first.append(replace(record, activation_maps=None, renderer=None))

    def summary(self, images: int, seconds: float, manifest: Path) -> RunSummary:
        return RunSummary(
            images=images,
            failures=tuple(self.failures),
            classes=dict(self.classes.most_common()),
            first=tuple(self.first),
            without_mass=self.without_mass,
            flat=self.flat,
            seconds=seconds,
            manifest=manifest,
        )


def _is_flat(record: Localization) -> bool:
    """Whether the best map has one value everywhere: every place is as good, and the box says nothing."""
    if record.activation_maps is None or not len(record.activation_maps):
        return False
    cells = record.activation_maps[0]
    highest = float(cells.max())
    return highest > 0 and highest - float(cells.min()) <= FLAT * highest


def _write_pictures(localizer: Localizer, record: Localization, options: RunOptions) -> None:
    """The overlay, the single draws and the maps of one image, where asked for."""
    if options.overlays:
        save_overlay(output_path(options.folder / "overlays", record.image, ".jpg"), record.overlay())
    if record.draws is not None:
        save_overlay(output_path(options.folder / "draws", record.image, ".jpg"), draws_sheet(record))
    if "npz" in options.formats:
        save_maps(output_path(options.folder / "maps", record.image, ".npz"), record, localizer.classes)
