"""Shards joined into one set of results, as one run would have written it: what `wsloc merge` does."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.errors import RunError
from wsloc.files import replacing
from wsloc.outputs.boxes_layout import BOXES, kinds_of_boxes
from wsloc.outputs.formats import write_formats
from wsloc.outputs.manifest import write_content
from wsloc.outputs.predictions import write_predictions
from wsloc.outputs.run_results import RunResults
from wsloc.outputs.seed_files.coverage import coverage_values
from wsloc.outputs.seed_files.layout import SEEDS, kinds_of_seeds
from wsloc.outputs.seed_files.numbering import Numbering
from wsloc.outputs.shard_folders import read_shards, refuse_a_shard, whole_identity
from wsloc.outputs.tally import tally_records
from wsloc.records import Classes, Failure
from wsloc.runner import summarize
from wsloc.running.carrying import Clock, carry_out
from wsloc.running.identity import digest
from wsloc.running.journal import copy_lines
from wsloc.running.recording import record_batches
from wsloc.running.shards import batch_length, count_batches
from wsloc.seeder import summarize_seeds
from wsloc.seeding.finishing import finish_seeds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from wsloc.outputs.run_results import Layout
    from wsloc.outputs.shard_folders import ShardFolder
    from wsloc.runner import RunSummary
    from wsloc.running.identity import Identity
    from wsloc.running.recording import Progress
    from wsloc.running.unfinished import Work
    from wsloc.seeder import SeedSummary


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of a shard.

    Attributes:
        line: its record, as the shard wrote it.
        image: its id.
        failed: whether it could not be used, and has no files.
        shard: where its files are.
        tallies: what the shard counted in all, at its first image; nothing at the others.
    """

    line: bytes
    image: str
    failed: bool
    shard: ShardFolder
    tallies: Mapping[str, int]


def merge_shards(
    folders: Sequence[Path],
    output: Path | None = None,
    *,
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> RunSummary | SeedSummary:
    """Join the results of all shards of one `wsloc boxes` or `wsloc seeds`: the bytes that one run would have written.

    Files of single images become hard links where the file system has them, copies elsewhere: the shards stay, and
    take no room of their own. A merge that was interrupted is gone on with.

    Args:
        folders: of the shards, in any order.
        output: where the results go; None for the command's own, `wsloc-boxes` or `wsloc-seeds`.
        overwrite: whether what another run left there is replaced.
        on_batch: called with the number of images joined since the last call.

    Raises:
        RunError: if the folders do not hold all shards of one run, complete.
        UsageError: if the output is one of them, or holds another run.
        OutputError: if something cannot be written.
        DataError: if the records of a shard cannot be read.
    """
    clock = Clock()
    shards = read_shards(folders)
    command = str(shards[0].identity.get("command"))
    if command not in _COMMANDS:
        raise RunError(
            f"{shards[0].folder} holds a shard of {command}: `wsloc merge` joins it, not this function"
        )
    output = output or Path(f"wsloc-{command}")
    refuse_a_shard(output, shards)
    merge = _Merge(shards, output, _COMMANDS[command])
    skipped = carry_out(
        output,
        merge.identity,
        RunResults(merge.command.layout, output, None, merge.command.kinds(merge.identity)),
        batches=range(count_batches(merge.identity["images"], merge.identity["batch_size"])),
        record=merge.record,
        join=merge.join,
        on_batch=on_batch,
        overwrite=overwrite,
    )
    return merge.command.summarize(output, classes=merge.classes, skipped=skipped or 0, seconds=clock.seconds)


@dataclass(frozen=True, slots=True)
class _Merge:
    """Shards of one run, in their order, that are joined in a folder."""

    shards: Sequence[ShardFolder]
    output: Path
    command: _Command

    @property
    def identity(self) -> Identity:
        return whole_identity(self.shards)

    @property
    def classes(self) -> Classes:
        found = self.shards[0].manifest["classes"]
        return Classes(tuple(found["ids"]), tuple(found["names"]))

    def record(self, work: Work, progress: Progress) -> None:
        """Join the batches that are to be done."""
        record_batches(
            work,
            self._batches(work.todo),
            line=lambda image: image.line,
            write=self._link_files,
            tally=lambda image: image.tallies,
            progress=progress,
        )

    def _batches(self, todo: Sequence[int]) -> Iterator[list[_Image]]:
        """The batches of the whole list that are to be joined, in its order."""
        wanted, images, size = set(todo), self.identity["images"], self.identity["batch_size"]
        layout, shards = self.command.layout, self.shards
        places = [0] * len(shards)  # byte up to which each shard's records are read
        for number in range(count_batches(images, size)):
            turn = number % len(shards)
            shard, path = shards[turn], shards[turn].folder / layout.log
            try:
                with path.open("rb") as stream:
                    stream.seek(places[turn])
                    lines = [stream.readline() for _ in range(batch_length(number, images, size))]
                    places[turn] = stream.tell()
            except OSError as error:
                raise RunError(
                    f"cannot read {path}: {error.strerror or error}: run its command again"
                ) from error
            if number in wanted:
                records = [layout.parse(line, str(path)) for line in lines]
                tallies = [
                    shard.manifest.get("tallies", {}) if number < len(shards) else {},
                    *[{}] * len(lines),
                ]
                yield [
                    _Image(line, record.image, isinstance(record, Failure), shard, counted)
                    for line, record, counted in zip(lines, records, tallies, strict=False)
                ]

    def _link_files(self, image: _Image) -> list[Path]:
        """Link the files of an image into the output, and give their paths there."""
        linked: list[Path] = []
        paths = self.command.layout.of_an_image
        kinds = self.command.kinds(image.shard.identity) & set(paths)
        for kind in sorted(kinds) if not image.failed else ():
            source, target = (
                paths[kind](image.shard.folder, image.image),
                paths[kind](self.output, image.image),
            )
            if not source.is_file():
                raise RunError(f"{source} is missing: run the command of that shard again")
            with replacing(target) as temporary:
                try:
                    os.link(source, temporary)
                except OSError:  # another drive, or one without links
                    shutil.copyfile(source, temporary)
            linked.append(target)
        return linked

    def join(self, work: Work) -> None:
        """Write what is made of all records.

        Raises:
            RunError: if they are not those of the run's images.
        """
        if digest(self._images(work)) != self.identity["image_ids"]:
            logs = ", ".join(str(found.folder / self.command.layout.log) for found in self.shards)
            raise RunError(
                f"{logs} do not tell of the images that the shards had: run their commands again, with --overwrite, "
                "then merge with --overwrite"
            )
        formats = self.identity["formats"].split(",")
        failures, entries = self.command.join(self.output, copy_lines(work.entries()), self.classes, formats)
        write_content(self.output, self._manifest(failures) | entries)

    def _images(self, work: Work) -> Iterator[str]:
        """The ids of all images, as the records tell."""
        for lines in copy_lines(work.entries()):
            for line in lines.splitlines():
                yield json.loads(line)["image"]

    def _manifest(self, failures: Sequence[Failure]) -> dict[str, Any]:
        """The manifest of one run, from those of the shards."""
        manifests = [found.manifest for found in self.shards]
        content = {name: value for name, value in manifests[0].items() if name != "classes"}
        arguments = dict(content["arguments"])
        if "output" in arguments:  # of the command line
            arguments |= {"output": str(self.output), "shard": None}
        if "tallies" in content:
            counted = [manifest.get("tallies", {}) for manifest in manifests]
            content["tallies"] = {
                name: sum(found.get(name, 0) for found in counted) for name in content["tallies"]
            }
        images = self.identity["images"]
        return content | {
            "arguments": arguments,
            "counts": {"images": images, "done": images - len(failures), "failed": len(failures)},
            "failures": [{"image": failure.image, "error": failure.error} for failure in failures],
            "started": min(manifest["started"] for manifest in manifests),
            "seconds": round(sum(manifest["seconds"] for manifest in manifests), 3),
            "run": self.identity,
        }


def _join_boxes(
    folder: Path, lines: Iterable[bytes], classes: Classes, formats: Collection[str]
) -> tuple[Sequence[Failure], dict[str, Any]]:
    """Write what `wsloc boxes` makes of all records; give what failed, and what the manifest tells of the others."""
    predictions = write_predictions(folder, lines)
    write_formats(formats, predictions, classes)
    return tally_records(predictions).failures, {}


def _join_seeds(
    folder: Path, lines: Iterable[bytes], classes: Classes, formats: Collection[str]
) -> tuple[Sequence[Failure], dict[str, Any]]:
    """Likewise of `wsloc seeds`."""
    numbering = Numbering.of(classes)
    tally = finish_seeds(folder, lines, numbering, formats)
    counted = {"predicted": tally.predicted, "coverage": coverage_values(tally.coverage, numbering)}
    return tally.failures, counted


def _summarize_boxes(folder: Path, *, classes: Classes, skipped: int, seconds: float) -> RunSummary:  # noqa: ARG001 - as the others
    return summarize(folder, skipped=skipped, seconds=seconds)


@dataclass(frozen=True, slots=True)
class _Command:
    """A command whose shards can be joined.

    Attributes:
        layout: of its files.
        kinds: those that a run writes, by its identity.
        join: writes what is made of all records.
        summarize: reads what the run came to.
    """

    layout: Layout
    kinds: Callable[[Identity], frozenset[str]]
    join: Callable[
        [Path, Iterable[bytes], Classes, Collection[str]], tuple[Sequence[Failure], dict[str, Any]]
    ]
    summarize: Callable[..., RunSummary | SeedSummary]


_COMMANDS = {
    "boxes": _Command(BOXES, kinds_of_boxes, _join_boxes, _summarize_boxes),
    "seeds": _Command(SEEDS, kinds_of_seeds, _join_seeds, summarize_seeds),
}
