"""A folder of images through a localizer and into pseudo-labels: what `wsloc seeds` does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wsloc.errors import UsageError
from wsloc.inputs.loading import load_batches
from wsloc.metrics.seed_coverage import SeedCoverage
from wsloc.outputs.line_log import LineLog
from wsloc.outputs.manifest import write_manifest
from wsloc.outputs.paths import refuse_clashes
from wsloc.outputs.predictions import json_line
from wsloc.outputs.seed_files.coverage import coverage_values
from wsloc.outputs.seed_files.earlier_seeds import clear_earlier_seeds
from wsloc.outputs.seed_files.formats import EIGHT_BITS, OF_A_RUN, SEED_FORMATS
from wsloc.outputs.seed_files.image_list import write_image_list
from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.outputs.seed_files.seed_log import NAME, line_values, lines_of, read_seed_log, seed_line
from wsloc.records import Failure
from wsloc.seeding.making import SeedMaker
from wsloc.seeding.observing import ImageMaps, observe_batch
from wsloc.seeding.request import plan_seeds
from wsloc.seeding.saliency import find_saliency
from wsloc.seeding.writing import SeedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from wsloc.localizer import Localizer
    from wsloc.metrics.seed_coverage import Coverage
    from wsloc.records import ImageFile, ImageSeeds
    from wsloc.seeding.request import SeedPlan, SeedRequest

WRITERS = 2  # threads that make and encode seeds; most of that releases Python's lock


@dataclass(frozen=True, slots=True)
class SeedOptions:
    """How a run is carried out; nothing here changes a seed.

    Attributes:
        folder: where the results go.
        formats: of `SEED_FORMATS`.
        overlays: whether to draw the seeds over the pictures.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        arguments: of the command, for the manifest.
        checkpoint: the weights file, for the manifest; None where no file was read.
        model: the model's name, for the manifest.

    Raises:
        UsageError: if a format is not known, or none is named.
    """

    folder: Path
    formats: tuple[str, ...] = ("png",)
    overlays: bool = False
    batch_size: int = 16
    workers: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: Path | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in SEED_FORMATS]
        if unknown or not self.formats:
            asked = f"unknown format {unknown[0]!r}" if unknown else "no format is named"
            raise UsageError(f"{asked}: choose from {', '.join(SEED_FORMATS)}")


@dataclass(frozen=True, slots=True)
class SeedSummary:
    """What a run came to.

    Attributes:
        images: how many were asked for.
        failures: those that could not be used.
        predicted: how many images have labels of the network's own.
        coverage: of the seeds.
        plan: the map and rules.
        numbering: of the classes.
        seconds: of the whole run.
        manifest: the file that documents it.
    """

    images: int
    failures: tuple[Failure, ...]
    predicted: int
    coverage: Coverage
    plan: SeedPlan
    numbering: Numbering
    seconds: float
    manifest: Path


def run_seeds(
    localizer: Localizer,
    files: Sequence[ImageFile],
    request: SeedRequest,
    options: SeedOptions,
    on_batch: Callable[[int], None] | None = None,
) -> SeedSummary:
    """Make the seeds of every image, and write them in every format, with their list, classes and manifest.

    Memory does not grow with the number of images. wsloc's own files of an earlier run in the folder are
    replaced, other files are left.

    Args:
        localizer: from `wsloc.load`.
        files: the images.
        request: what is asked of each.
        options: how to run.
        on_batch: called with the number of images done since the last call.

    Raises:
        OutputError: if something cannot be written, two images would share a file, or there are more classes than a
            format holds.
        UnsupportedError: if the network, the map and the rules do not go together, or a batch does not fit into
            memory.
        DataError: if there are no saliency maps.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    plan = plan_seeds(localizer, request)
    numbering = Numbering.of(localizer.classes)
    numbering.require_bytes([name for name in options.formats if name in EIGHT_BITS])
    refuse_clashes(lambda: (file.image for file in files), options.folder, "")
    maker = SeedMaker(plan, find_saliency(plan.background, [file.image for file in files]))
    clear_earlier_seeds(options.folder)
    batches = load_batches(
        files,
        localizer.preprocessing,
        batch_size=options.batch_size,
        workers=options.workers if len(files) > options.batch_size else 0,  # nothing to read ahead
        with_picture=options.overlays or plan.crf,
    )
    with closing(observe_batch(localizer, batch, request, plan) for batch in batches) as observed:
        log = write_seeds(observed, maker, numbering, options, on_batch)
    tally = finish_seeds(log, numbering, options)
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
        map=plan.map,
        foreground=str(plan.foreground),
        background=str(plan.background),
        crf=plan.crf,
        predicted=tally.predicted,
        coverage=coverage_values(tally.coverage, numbering),
    )
    return SeedSummary(
        len(files), tally.failures, tally.predicted, tally.coverage, plan, numbering, seconds, manifest
    )


def write_seeds(
    observed: Iterable[Sequence[ImageMaps | Failure]],
    maker: SeedMaker,
    numbering: Numbering,
    options: SeedOptions,
    on_batch: Callable[[int], None] | None = None,
) -> Path:
    """From maps to the log and the files that there are one an image.

    Args:
        observed: batches of maps.
        maker: of seeds.
        numbering: of the classes.
        options: folder, formats and overlays.
        on_batch: called with the number of images done since the last call.

    Returns:
        The log.

    Raises:
        OutputError: if something cannot be written.
    """
    writer = SeedWriter(options.folder, options.formats, numbering)
    with LineLog(options.folder / NAME) as log, ThreadPoolExecutor(WRITERS) as pool:
        written: list[Future[None]] = []
        for batch in observed:
            made = list(pool.map(maker.make, batch))
            lines = list(pool.map(lambda seeds: _line(seeds, numbering), made))
            for job in written:  # at most one batch of seeds waits to be written
                job.result()
            for (
                line
            ) in lines:  # first: what the log does not know, the next run in this folder would not remove
                log.write(line)
            written = [
                pool.submit(writer.write, seeds, found.picture if options.overlays else None)
                for seeds, found in zip(made, batch, strict=True)
                if not isinstance(seeds, Failure) and isinstance(found, ImageMaps)
            ]
            if on_batch is not None:
                on_batch(len(batch))
        for job in written:
            job.result()
    return log.path


def _line(seeds: ImageSeeds | Failure, numbering: Numbering) -> bytes:
    """The line of an image in the log."""
    return json_line(line_values(seeds if isinstance(seeds, Failure) else seed_line(seeds, numbering)))


@dataclass(frozen=True, slots=True)
class SeedTally:
    """What is counted over a log: `SeedSummary` has the same."""

    failures: tuple[Failure, ...]
    predicted: int
    coverage: Coverage


def finish_seeds(log: Path, numbering: Numbering, options: SeedOptions) -> SeedTally:
    """Count the lines of a log, and write the files that there are one a run.

    Raises:
        DataError: if the log cannot be read.
        OutputError: if a file cannot be written.
    """
    coverage = SeedCoverage(numbering.values)
    failures: list[Failure] = []
    predicted = 0
    for line in read_seed_log(log):
        if isinstance(line, Failure):
            failures.append(line)
            continue
        predicted += line.predicted
        classes = ((area.value, area.pixels) for area in line.classes)
        coverage.add(classes, line.background.pixels, line.ignore.pixels)
    numbering.write(options.folder)
    write_image_list(lines_of(log), options.folder)
    for name in options.formats:
        if name in OF_A_RUN:
            OF_A_RUN[name](lines_of(log), numbering, options.folder)
    return SeedTally(tuple(failures), predicted, coverage.result())
