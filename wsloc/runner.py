"""A folder of images through a localizer and into files: what `wsloc boxes` does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

from wsloc.errors import UsageError
from wsloc.image_run import ImageRun, ImageRunOptions
from wsloc.outputs.boxes_layout import BOXES, kinds_of_boxes
from wsloc.outputs.draws import draws_sheet
from wsloc.outputs.formats import CHECKS, FORMATS, write_formats
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.outputs.maps import save_maps
from wsloc.outputs.overlays import save_overlay
from wsloc.outputs.predictions import NAME as PREDICTIONS
from wsloc.outputs.predictions import record_line, write_predictions
from wsloc.outputs.run_results import RunResults
from wsloc.outputs.tally import tally_records
from wsloc.records import Failure, Localization
from wsloc.running.carrying import Clock, carry_out
from wsloc.running.identity import digest
from wsloc.running.journal import copy_lines
from wsloc.running.recording import record_batches
from wsloc.running.stages import OVERLAYS, WRITE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wsloc.localizer import Localizer
    from wsloc.outputs.predictions import Record
    from wsloc.records import ImageFile
    from wsloc.request import Request
    from wsloc.running.identity import Identity
    from wsloc.running.ranks import Ranks
    from wsloc.running.recording import Progress
    from wsloc.running.unfinished import Work

ALL_FORMATS = ("jsonl", *FORMATS, "npz")
FLAT = 1e-6  # relative spread below which a map says nothing of where


@dataclass(frozen=True, slots=True)
class RunOptions(ImageRunOptions):
    """How boxes are written; as `ImageRunOptions`, with formats of `ALL_FORMATS`, of which jsonl is always written.

    Raises:
        UsageError: if a format is not known.
    """

    formats: tuple[str, ...] = ("jsonl",)
    overlays: bool = True

    def __post_init__(self) -> None:
        unknown = [name for name in self.formats if name not in ALL_FORMATS]
        if unknown:
            raise UsageError(f"unknown format {unknown[0]!r}: choose from {', '.join(ALL_FORMATS)}")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run came to.

    Attributes:
        images: how many were asked for.
        skipped: how many of them were done before.
        failures: those that could not be used.
        classes: how many images have each class name as their best prediction, most frequent first.
        first: the first few records, for a table.
        without_mass: images whose map was empty, so that the box is the whole image.
        flat: images whose map has one value everywhere (a grid of 1 x 1, a blank picture).
        map: name of the activation map.
        seconds: of the whole run, without what was done before.
        manifest: the file that documents it.
        profile: seconds by stage, where they were asked for: of what this process did.
    """

    images: int
    skipped: int
    failures: tuple[Failure, ...]
    classes: dict[str, int]
    first: tuple[Localization, ...]
    without_mass: int
    flat: int
    map: str
    seconds: float
    manifest: Path
    profile: Mapping[str, float] = field(default_factory=dict)


def run_boxes(
    localizer: Localizer,
    files: Sequence[ImageFile],
    request: Request,
    options: RunOptions,
    on_batch: Callable[[int], None] | None = None,
    *,
    ranks: Ranks | None = None,
) -> RunSummary | None:
    """Localize every image and write predictions, overlays, maps and the manifest.

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
        OutputError: if something cannot be written, or two images would share a file.
        UnsupportedError: if the network and the map do not go together, or a batch does not fit into memory.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        RunError: if another process of the run is gone.
    """
    clock = Clock()
    localizer.check(request)
    for name in set(options.formats) & set(CHECKS):
        CHECKS[name](lambda: (file.image for file in files), options.folder)
    run = _Run(localizer, files, options, request.matched([file.image for file in files]))
    identity = run.identity()
    skipped = carry_out(
        options.folder,
        identity,
        RunResults(BOXES, options.folder, run.own_files, kinds_of_boxes(identity)),
        batches=run.batches,
        record=run.localize,
        join=partial(run.join, clock),
        on_batch=on_batch,
        ranks=ranks,
        overwrite=options.overwrite,
    )
    return None if skipped is None else summarize(options.folder, skipped=skipped, seconds=clock.seconds)


def summarize(folder: Path, *, skipped: int, seconds: float) -> RunSummary:
    """The summary of the complete run in a folder.

    Args:
        folder: of the results.
        skipped: how many images were done before.
        seconds: that the others took.

    Raises:
        DataError: if the predictions cannot be read.
    """
    found, manifest = tally_records(folder / PREDICTIONS), read_manifest(folder) or {}
    return RunSummary(
        images=found.images,
        skipped=skipped,
        failures=tuple(found.failures),
        classes=dict(found.classes.most_common()),
        first=tuple(found.first),
        without_mass=found.without_mass,
        flat=manifest.get("tallies", {}).get("flat", 0),
        map=manifest.get("run", {}).get("map", ""),
        seconds=seconds,
        manifest=folder / MANIFEST,
        profile=manifest.get("profile", {}),
    )


@dataclass(frozen=True, slots=True)
class _Run(ImageRun):
    """What one process does of a run; the request's labels are by the ids of `files`, which are all images."""

    request: Request

    def identity(self) -> Identity:
        """What decides the bytes that the run writes, to know it again."""
        request, classes = self.request, self.request.classes
        name, kind = self.localizer.kind(request)
        labels = classes if isinstance(classes, Mapping) else None
        entries = {item.name: getattr(request, item.name) for item in fields(request)}
        entries |= {
            "map": name,
            "box": request.box or kind.box_rule,
            "classes": None if labels is not None else classes,
            "labels": None if labels is None else digest(f"{k}:{v}" for k, v in sorted(labels.items())),
            "formats": ",".join(sorted({*self.options.formats, "jsonl"})),
        }
        return self.network_identity("boxes", **entries)

    def localize(self, work: Work, progress: Progress) -> None:
        """Do the batches of this process."""
        with closing(
            self.localizer.localize_files(
                self.files,
                self.request,
                batch_size=self.options.batch_size,
                workers=self.options.workers,
                with_pictures=self.options.overlays or self.request.show_draws > 0,
                batches=work.todo,
            )
        ) as batches:
            record_batches(
                work,
                self.while_there(work.todo, batches, lambda record: isinstance(record, Failure), {}),
                line=record_line,
                write=self.write_pictures,
                tally=lambda record: {"flat": int(_is_flat(record))},
                progress=progress,
            )

    def write_pictures(self, record: Record) -> list[Path]:
        """The overlay, the single draws and the maps of one image, where asked for; the files written."""
        if isinstance(record, Failure):
            return []
        paths = {kind: where(self.options.folder, record.image) for kind, where in BOXES.of_an_image.items()}
        stages, pictures = self.localizer.stages, {}
        with stages.measure(OVERLAYS):
            if self.options.overlays:
                pictures["overlays"] = record.overlay()
            if record.draws is not None:
                pictures["draws"] = draws_sheet(record)
        with stages.measure(WRITE):
            for kind, picture in pictures.items():
                save_overlay(paths[kind], picture)
            if "npz" not in self.options.formats:
                return [paths[kind] for kind in pictures]
            save_maps(paths["npz"], record, self.localizer.classes)
            return [paths[kind] for kind in (*pictures, "npz")]

    def join(self, clock: Clock, work: Work) -> None:
        """Make one set of results of what all processes have done."""
        options, entries = self.options, work.entries()
        predictions = write_predictions(options.folder, copy_lines(entries))
        if options.shard.is_whole:
            write_formats(options.formats, predictions, self.localizer.classes)
        found = tally_records(predictions)
        tallies = {"flat": sum(entry.tallies.get("flat", 0) for entry in entries)}
        self.write_manifest(work, clock, found.images, found.failures, tallies=tallies)


def _is_flat(record: Record) -> bool:
    """Whether the best map has one value everywhere: every place is as good, and the box says nothing."""
    if isinstance(record, Failure) or record.activation_maps is None or not len(record.activation_maps):
        return False
    cells = record.activation_maps[0]
    highest = float(cells.max())
    return highest > 0 and highest - float(cells.min()) <= FLAT * highest
