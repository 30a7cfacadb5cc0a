"""A folder of images through a localizer and into files: what `wsloc boxes` does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from wsloc.errors import UsageError
from wsloc.inputs.presence import Presence
from wsloc.networks.network import weights_digest
from wsloc.outputs.draws import draws_sheet
from wsloc.outputs.earlier_run import FILES_OF_AN_IMAGE, BoxesResults
from wsloc.outputs.formats import CHECKS, FORMATS, write_formats
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import file_sha256, read_manifest, write_manifest
from wsloc.outputs.maps import save_maps
from wsloc.outputs.overlays import save_overlay
from wsloc.outputs.predictions import NAME as PREDICTIONS
from wsloc.outputs.predictions import record_line, write_predictions
from wsloc.outputs.tally import tally_records
from wsloc.records import Failure, Localization
from wsloc.running.identity import digest, run_identity
from wsloc.running.journal import copy_lines
from wsloc.running.ranks import Ranks
from wsloc.running.recording import Progress, record_batches
from wsloc.running.shards import Shard, count_batches
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from wsloc.localizer import Localizer
    from wsloc.outputs.predictions import Record
    from wsloc.records import ImageFile
    from wsloc.request import Request
    from wsloc.running.identity import Identity
    from wsloc.running.unfinished import Work

ALL_FORMATS = ("jsonl", *FORMATS, "npz")
FLAT = 1e-6  # relative spread below which a map says nothing of where
# Arguments of the command whose meaning is in what `boxes_identity` adds.
SAID_OTHERWISE = frozenset({"flip", "image_size", "layer", "map_name", "resize", "scales"})


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out; nothing here changes a box.

    Attributes:
        folder: where the results go.
        formats: of `ALL_FORMATS`; jsonl is always written.
        overlays: whether to draw the pictures.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        overwrite: whether what another run left in the folder is replaced.
        shard: the part of the images that is done. A shard leaves out the formats that `FORMATS` makes of all
            records: `merge_shards` makes them.
        arguments: of the command, for the manifest, and to know the run again.
        checkpoint: the weights file, likewise; None where no file was read.
        model: the model's name, likewise.

    Raises:
        UsageError: if a format is not known.
    """

    folder: Path
    formats: tuple[str, ...] = ("jsonl",)
    overlays: bool = True
    batch_size: int = 16
    workers: int = 0
    overwrite: bool = False
    shard: Shard = field(default_factory=Shard)
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
        skipped: how many of them were done before.
        failures: those that could not be used.
        classes: how many images have each class name as their best prediction, most frequent first.
        first: the first few records, for a table.
        without_mass: images whose map was empty, so that the box is the whole image.
        flat: images whose map has one value everywhere (a grid of 1 x 1, a blank picture).
        map: name of the activation map.
        seconds: of the whole run, without what was done before.
        manifest: the file that documents it.
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
    ranks = ranks or Ranks()
    clock = _Clock()
    localizer.check(request)
    for name in set(options.formats) & set(CHECKS):
        CHECKS[name](lambda: (file.image for file in files), options.folder)
    run = _Run(localizer, files, request.matched([file.image for file in files]), options)
    identity = run.identity()
    results = BoxesResults(options.folder, run.own_files, kinds_of_files(identity))
    with open_work(
        options.folder, identity, results, batches=run.batches, ranks=ranks, overwrite=options.overwrite
    ) as work:
        progress = Progress(ranks, on_batch)
        progress.skip(work.skipped)
        if work.todo:
            run.localize(work, progress)
        if not work.wait_for_all(progress.look):
            return None
        if not work.complete:
            run.join(work, clock)
    return summarize(options.folder, skipped=work.skipped, seconds=clock.seconds)


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
    )


def kinds_of_files(identity: Mapping[str, Any]) -> frozenset[str]:
    """The kinds of files that a run writes, as `earlier_run` names them."""
    kinds = {"overlays"} if identity["overlays"] else set()
    if identity["show_draws"]:
        kinds.add("draws")
    formats = set(identity["formats"].split(","))
    made_of_all = set() if identity["shard"] else formats & set(FORMATS)
    return frozenset(kinds | made_of_all | formats & {"npz"})


class _Clock:
    """When a run began, and how long ago."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._begun


@dataclass(frozen=True, slots=True)
class _Run:
    """What one process does of a run; the request's labels are by the ids of `files`, which are all images."""

    localizer: Localizer
    files: Sequence[ImageFile]
    request: Request
    options: RunOptions

    @property
    def batches(self) -> range:
        """Numbers of the batches of the shard."""
        return self.options.shard.batches(count_batches(len(self.files), self.options.batch_size))

    def batch(self, number: int) -> Sequence[ImageFile]:
        size = self.options.batch_size
        return self.files[number * size : (number + 1) * size]

    @property
    def own_files(self) -> list[ImageFile]:
        """The images of the shard."""
        return [file for number in self.batches for file in self.batch(number)]

    def identity(self) -> Identity:
        """What decides the bytes that the run writes, to know it again.

        A network counts by its file or model name, or where neither is known by its weights; the command's arguments
        count unless they say the same as what follows from them.
        """
        options, localizer, classes = self.options, self.localizer, self.request.classes
        name, kind = localizer.kind(self.request)
        labels = classes if isinstance(classes, Mapping) else None
        known = options.checkpoint is not None or options.model is not None
        entries = {item.name: getattr(self.request, item.name) for item in fields(self.request)}
        entries |= {
            "map": name,
            "box": self.request.box or kind.box_rule,
            "classes": None if labels is not None else classes,
            "labels": None if labels is None else digest(f"{k}:{v}" for k, v in sorted(labels.items())),
            "network_classes": digest((*localizer.classes.ids, *localizer.classes.names)),
            "checkpoint": None if options.checkpoint is None else file_sha256(options.checkpoint),
            "model": options.model if known else weights_digest(localizer.network.model),
            "weights": None if options.checkpoint is not None else options.arguments.get("weights"),
            "preprocessing": asdict(localizer.preprocessing),
            "views": asdict(localizer.views),
            "precision": "bfloat16" if localizer.bfloat16 else "float32",
            "device": localizer.device.type,
            "formats": ",".join(sorted({*options.formats, "jsonl"})),
            "overlays": options.overlays,
            "batch_size": options.batch_size,
        }
        arguments = {key: value for key, value in options.arguments.items() if key not in SAID_OTHERWISE}
        return run_identity("boxes", arguments, files=self.files, shard=options.shard, **entries)

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
                self._with_folders(work.todo, batches),
                line=record_line,
                write=self.write_pictures,
                tally=lambda record: {"flat": int(_is_flat(record))},
                progress=progress,
            )

    def _with_folders(
        self, numbers: Sequence[int], batches: Iterable[list[Record]]
    ) -> Iterator[list[Record]]:
        """The batches as they are, as long as the folders of images that fail are there."""
        presence = Presence(self.files)
        for number, records in zip(numbers, batches, strict=True):
            for file, record in zip(self.batch(number), records, strict=True):
                if isinstance(record, Failure):
                    presence.require(file)
            yield records

    def write_pictures(self, record: Record) -> list[Path]:
        """The overlay, the single draws and the maps of one image, where asked for; the files written."""
        if isinstance(record, Failure):
            return []
        paths = {kind: where(self.options.folder, record.image) for kind, where in FILES_OF_AN_IMAGE.items()}
        written = []
        if self.options.overlays:
            save_overlay(paths["overlays"], record.overlay())
            written.append(paths["overlays"])
        if record.draws is not None:
            save_overlay(paths["draws"], draws_sheet(record))
            written.append(paths["draws"])
        if "npz" in self.options.formats:
            save_maps(paths["npz"], record, self.localizer.classes)
            written.append(paths["npz"])
        return written

    def join(self, work: Work, clock: _Clock) -> None:
        """Make one set of results of what all processes have done."""
        options, entries = self.options, work.entries()
        predictions = write_predictions(options.folder, copy_lines(entries))
        if options.shard.is_whole:
            write_formats(options.formats, predictions, self.localizer.classes)
        found = tally_records(predictions)
        # The formats that the merge of shards writes need the classes.
        classes = {} if options.shard.is_whole else {"classes": asdict(self.localizer.classes)}
        write_manifest(
            options.folder,
            arguments=options.arguments,
            checkpoint=options.checkpoint,
            model=options.model,
            # Of several processes each has a device of its own.
            device=str(self.localizer.device) if work.ranks.size == 1 else self.localizer.device.type,
            images=found.images,
            failures=found.failures,
            started=clock.started,
            seconds=clock.seconds,
            tallies={"flat": sum(entry.tallies.get("flat", 0) for entry in entries)},
            run=work.identity,
            **classes,
        )
        work.finish()


def _is_flat(record: Record) -> bool:
    """Whether the best map has one value everywhere: every place is as good, and the box says nothing."""
    if isinstance(record, Failure) or record.activation_maps is None or not len(record.activation_maps):
        return False
    cells = record.activation_maps[0]
    highest = float(cells.max())
    return highest > 0 and highest - float(cells.min()) <= FLAT * highest
