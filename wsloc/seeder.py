"""A folder of images through a localizer and into pseudo-labels: what `wsloc seeds` does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

from wsloc.errors import DataError, UsageError
from wsloc.image_run import ImageRun, ImageRunOptions
from wsloc.inputs.image_labels import ImageLabels
from wsloc.inputs.loading import load_batches
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.outputs.paths import refuse_clashes
from wsloc.outputs.predictions import json_line
from wsloc.outputs.run_results import RunResults
from wsloc.outputs.seed_files.coverage import coverage_values, read_coverage
from wsloc.outputs.seed_files.formats import EIGHT_BITS, SEED_FORMATS
from wsloc.outputs.seed_files.layout import SEEDS, kinds_of_seeds
from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.outputs.seed_files.seed_log import line_values, seed_line
from wsloc.records import Failure
from wsloc.running.carrying import Clock, carry_out
from wsloc.running.identity import digest
from wsloc.running.journal import copy_lines
from wsloc.running.recording import WRITERS, record_batches
from wsloc.running.stages import LABELLING, RECORD, WRITE
from wsloc.seeding.finishing import finish_seeds
from wsloc.seeding.making import SeedMaker
from wsloc.seeding.observing import ImageMaps, observe_batch
from wsloc.seeding.request import plan_seeds
from wsloc.seeding.saliency import find_saliency
from wsloc.seeding.writing import SeedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from wsloc.localizer import Localizer
    from wsloc.metrics.seed_coverage import Coverage
    from wsloc.records import Classes, ImageFile, ImageSeeds
    from wsloc.running.identity import Identity
    from wsloc.running.ranks import Ranks
    from wsloc.running.recording import Progress
    from wsloc.running.stages import Stages
    from wsloc.running.unfinished import Work
    from wsloc.seeding.request import SeedRequest


@dataclass(frozen=True, slots=True)
class SeedOptions(ImageRunOptions):
    """How seeds are written; as `ImageRunOptions`, with formats of `SEED_FORMATS`.

    Raises:
        UsageError: if a format is not known, or none is named.
    """

    formats: tuple[str, ...] = ("png",)

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
        skipped: how many of them were done before.
        failures: those that could not be used.
        predicted: how many images have labels of the network's own.
        coverage: of the seeds.
        map: that they are made of.
        foreground: rule of the classes' pixels.
        background: rule of the others.
        crf: whether a dense CRF drew them to the pictures' edges.
        numbering: of the classes.
        seconds: of the whole run, without what was done before.
        manifest: the file that documents it.
        profile: seconds by stage, where they were asked for: of what this process did.
    """

    images: int
    skipped: int
    failures: tuple[Failure, ...]
    predicted: int
    coverage: Coverage
    map: str
    foreground: str
    background: str
    crf: bool
    numbering: Numbering
    seconds: float
    manifest: Path
    profile: Mapping[str, float] = field(default_factory=dict)


def run_seeds(
    localizer: Localizer,
    files: Sequence[ImageFile],
    request: SeedRequest,
    options: SeedOptions,
    on_batch: Callable[[int], None] | None = None,
    *,
    ranks: Ranks | None = None,
) -> SeedSummary | None:
    """Make the seeds of every image, and write them in every format, with their list, classes and manifest.

    Memory does not grow with the number of images. A run that was interrupted in this folder is gone on with, one that
    is complete and whole is not done again; files that are not wsloc's are left.

    Args:
        localizer: from `wsloc.load`.
        files: the images, those of other shards too: batches are cut from all of them.
        request: what is asked of each.
        options: how to run.
        on_batch: called with the number of images done, by any process, since the last call.
        ranks: this process among those of the run; None for the only one.

    Returns:
        What the run came to; None in a process that does not lead.

    Raises:
        UsageError: if the folder holds another run, and is not to be overwritten.
        OutputError: if something cannot be written, two images would share a file, or there are more classes than a
            format holds.
        UnsupportedError: if the network, the map and the rules do not go together, or a batch does not fit into
            memory.
        DataError: if there are no saliency maps.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        RunError: if another process of the run is gone.
    """
    clock = Clock()
    plan = plan_seeds(localizer, request)
    numbering = Numbering.of(localizer.classes)
    numbering.require_bytes([name for name in options.formats if name in EIGHT_BITS])
    refuse_clashes(lambda: (file.image for file in files), options.folder, "")
    maker = SeedMaker(plan, find_saliency(plan.background, [file.image for file in files]))
    run = _Run(localizer, files, options, request, maker, numbering)
    identity = run.identity()
    skipped = carry_out(
        options.folder,
        identity,
        RunResults(SEEDS, options.folder, run.own_files, kinds_of_seeds(identity), run.beside),
        batches=run.batches,
        record=run.make,
        join=partial(run.join, clock),
        on_batch=on_batch,
        ranks=ranks,
        overwrite=options.overwrite,
    )
    if skipped is None:
        return None
    return summarize_seeds(options.folder, classes=localizer.classes, skipped=skipped, seconds=clock.seconds)


def summarize_seeds(folder: Path, *, classes: Classes, skipped: int, seconds: float) -> SeedSummary:
    """The summary of the complete run in a folder, as its manifest has it.

    Args:
        folder: of the results.
        classes: of the network.
        skipped: how many images were done before.
        seconds: that the others took.

    Raises:
        DataError: if the manifest does not tell.
    """
    manifest = read_manifest(folder) or {}
    try:
        return SeedSummary(
            images=manifest["counts"]["images"],
            skipped=skipped,
            failures=tuple(Failure(found["image"], found["error"]) for found in manifest["failures"]),
            predicted=manifest["predicted"],
            coverage=read_coverage(manifest["coverage"]),
            map=manifest["map"],
            foreground=manifest["foreground"],
            background=manifest["background"],
            crf=manifest["crf"],
            numbering=Numbering.of(classes),
            seconds=seconds,
            manifest=folder / MANIFEST,
            profile=manifest.get("profile", {}),
        )
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{folder / MANIFEST} is not as `wsloc seeds` wrote it ({error!r}): give --overwrite"
        ) from error


@dataclass(frozen=True, slots=True)
class MadeSeeds:
    """The seeds of an image, on their way into files.

    Attributes:
        seeds: of the image.
        line: that the log has of it.
        picture: to draw them over; None where nothing is drawn.
    """

    seeds: ImageSeeds | Failure
    line: bytes
    picture: npt.NDArray[np.uint8] | None


def make_batches(
    observed: Iterable[Sequence[ImageMaps | Failure]],
    maker: SeedMaker,
    numbering: Numbering,
    stages: Stages,
) -> Generator[list[MadeSeeds], None, None]:
    """From batches of maps to batches of seeds, several images at a time.

    Args:
        observed: batches of maps.
        maker: of seeds.
        numbering: of the classes.
        stages: told where the time goes.
    """

    def make(found: ImageMaps | Failure) -> MadeSeeds:
        seeds = maker.make(found)
        line = json_line(line_values(seeds if isinstance(seeds, Failure) else seed_line(seeds, numbering)))
        return MadeSeeds(seeds, line, None if isinstance(found, Failure) else found.picture)

    with ThreadPoolExecutor(WRITERS) as pool:
        for batch in observed:
            with stages.measure(LABELLING):
                made = list(pool.map(make, batch))
            with stages.measure(RECORD):
                yield made


def record_seeds(
    work: Work,
    batches: Iterable[Sequence[MadeSeeds]],
    writer: SeedWriter,
    progress: Progress,
    *,
    overlays: bool,
    stages: Stages,
) -> None:
    """Record batches of seeds, and write the files that there are one an image.

    Raises:
        OutputError: if something cannot be written.
    """

    def write(made: MadeSeeds) -> list[Path]:
        if isinstance(made.seeds, Failure):
            return []
        with stages.measure(WRITE):
            return writer.write(made.seeds, made.picture if overlays else None)

    record_batches(
        work, batches, line=lambda made: made.line, write=write, tally=lambda _made: {}, progress=progress
    )


@dataclass(frozen=True, slots=True)
class _Run(ImageRun):
    """What one process does of a run."""

    request: SeedRequest
    maker: SeedMaker
    numbering: Numbering

    @property
    def beside(self) -> Mapping[str, Path]:
        """The saliency maps of the images."""
        return self.maker.saliency or {}

    def identity(self) -> Identity:
        """What decides the bytes that the run writes, to know it again."""
        plan, classes = self.maker.plan, self.request.classes
        labels = classes if isinstance(classes, ImageLabels) else None
        return self.network_identity(
            "seeds",
            **{item.name: getattr(plan, item.name) for item in fields(plan)},
            classes=None if labels is not None else classes,
            labels=None
            if labels is None
            else digest(f"{k}:{v}" for k, v in sorted({**labels.errors, **labels.by_image}.items())),
            formats=",".join(sorted(set(self.options.formats))),
        )

    def make(self, work: Work, progress: Progress) -> None:
        """Do the batches of this process."""
        options, localizer, plan = self.options, self.localizer, self.maker.plan
        loaded = load_batches(
            self.files,
            localizer.preprocessing,
            batch_size=options.batch_size,
            workers=options.workers,
            with_picture=options.overlays or plan.crf,
            numbers=work.todo,
        )
        see = partial(observe_batch, localizer, request=self.request, plan=plan)
        with (
            closing(localizer.seen_ahead(loaded, see)) as seen,
            closing(
                make_batches((found for _, found in seen), self.maker, self.numbering, localizer.stages)
            ) as batches,
        ):
            there = self.while_there(
                work.todo, batches, lambda made: isinstance(made.seeds, Failure), self.beside
            )
            writer = SeedWriter(options.folder, options.formats, self.numbering)
            record_seeds(*(work, there, writer, progress), overlays=options.overlays, stages=localizer.stages)

    def join(self, clock: Clock, work: Work) -> None:
        """Make one set of results of what all processes have done."""
        options, plan = self.options, self.maker.plan
        formats = options.formats if options.shard.is_whole else None
        tally = finish_seeds(options.folder, copy_lines(work.entries()), self.numbering, formats)
        self.write_manifest(
            work,
            clock,
            tally.images,
            tally.failures,
            map=plan.map,
            foreground=str(plan.foreground),
            background=str(plan.background),
            crf=plan.crf,
            predicted=tally.predicted,
            coverage=coverage_values(tally.coverage, self.numbering),
        )
