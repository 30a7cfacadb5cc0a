"""Shards joined into one set of results, as one run would have written it: what `wsloc merge` does."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsloc.errors import RunError, UsageError
from wsloc.files import replacing
from wsloc.outputs.earlier_run import FILES_OF_AN_IMAGE, BoxesResults
from wsloc.outputs.formats import write_formats
from wsloc.outputs.manifest import write_content
from wsloc.outputs.predictions import NAME as PREDICTIONS
from wsloc.outputs.predictions import parse_record, write_predictions
from wsloc.outputs.shard_folders import read_shards, whole_identity
from wsloc.outputs.tally import tally_records
from wsloc.records import Classes, Failure
from wsloc.runner import kinds_of_files, summarize
from wsloc.running.journal import copy_lines
from wsloc.running.ranks import Ranks
from wsloc.running.recording import Progress, record_batches
from wsloc.running.shards import batch_length, count_batches
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.outputs.shard_folders import ShardFolder
    from wsloc.runner import RunSummary
    from wsloc.running.identity import Identity
    from wsloc.running.unfinished import Work


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
    output: Path,
    *,
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> RunSummary:
    """Join the results of all shards of one `wsloc boxes`: the bytes that one run would have written.

    Files of single images become hard links where the file system has them, copies elsewhere: the shards stay, and
    take no room of their own. A merge that was interrupted is gone on with.

    Args:
        folders: of the shards, in any order.
        output: where the results go.
        overwrite: whether what another run left there is replaced.
        on_batch: called with the number of images joined since the last call.

    Raises:
        RunError: if the folders do not hold all shards of one run, complete.
        UsageError: if the output is one of them, or holds another run.
        OutputError: if something cannot be written.
        DataError: if the records of a shard cannot be read.
    """
    clock = time.perf_counter()
    if output.resolve() in {folder.resolve() for folder in folders}:
        raise UsageError(f"{output} is one of the shards: name another --output")
    shards = read_shards(folders)
    identity = whole_identity(shards)
    if identity["command"] != "boxes":
        raise RunError(f"{shards[0].folder} holds {identity['command']}, of which shards cannot be joined")
    kinds = kinds_of_files(identity)
    with open_work(
        output,
        identity,
        BoxesResults(output, None, kinds),
        batches=range(count_batches(identity["images"], identity["batch_size"])),
        ranks=Ranks(),
        overwrite=overwrite,
    ) as work:
        progress = Progress(Ranks(), on_batch)
        progress.skip(work.skipped)

        def link(image: _Image) -> list[Path]:
            return _link_files(image, kinds, output)

        record_batches(
            work,
            _batches(shards, work.todo, identity),
            line=lambda image: image.line,
            write=link,
            tally=lambda image: image.tallies,
            progress=progress,
        )
        _join(work, shards, identity)
    return summarize(output, skipped=work.skipped, seconds=time.perf_counter() - clock)


def _batches(
    shards: Sequence[ShardFolder], todo: Sequence[int], identity: Identity
) -> Iterator[list[_Image]]:
    """The batches of the whole list that are to be joined, in its order."""
    wanted, images, size = set(todo), identity["images"], identity["batch_size"]
    places = [0] * len(shards)  # byte up to which each shard's records are read
    for number in range(count_batches(images, size)):
        turn = number % len(shards)
        shard, path = shards[turn], shards[turn].folder / PREDICTIONS
        try:
            with path.open("rb") as stream:
                stream.seek(places[turn])
                lines = [stream.readline() for _ in range(batch_length(number, images, size))]
                places[turn] = stream.tell()
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}: run its command again") from error
        if number in wanted:
            records = [parse_record(line, str(path)) for line in lines]
            tallies = [shard.manifest.get("tallies", {}) if number < len(shards) else {}, *[{}] * len(lines)]
            yield [
                _Image(line, record.image, isinstance(record, Failure), shard, counted)
                for line, record, counted in zip(lines, records, tallies, strict=False)
            ]


def _link_files(image: _Image, kinds: frozenset[str], output: Path) -> list[Path]:
    """Link the files of an image into the output, and give their paths there."""
    linked: list[Path] = []
    for kind in sorted(kinds & {"overlays", "draws", "npz"}) if not image.failed else ():
        source = FILES_OF_AN_IMAGE[kind](image.shard.folder, image.image)
        target = FILES_OF_AN_IMAGE[kind](output, image.image)
        if not source.is_file():
            raise RunError(f"{source} is missing: run the command of that shard again")
        with replacing(target) as temporary:
            try:
                os.link(source, temporary)
            except OSError:  # another drive, or one without links
                shutil.copyfile(source, temporary)
        linked.append(target)
    return linked


def _join(work: Work, shards: Sequence[ShardFolder], identity: Identity) -> None:
    """Write what is made of all records."""
    entries = work.entries()
    predictions = write_predictions(work.folder, copy_lines(entries))
    classes = shards[0].manifest["classes"]
    write_formats(
        identity["formats"].split(","), predictions, Classes(tuple(classes["ids"]), tuple(classes["names"]))
    )
    write_content(work.folder, _manifest(work, shards, identity))
    work.finish()


def _manifest(work: Work, shards: Sequence[ShardFolder], identity: Identity) -> dict[str, Any]:
    """The manifest of one run, from those of the shards."""
    manifests = [found.manifest for found in shards]
    content = {name: value for name, value in manifests[0].items() if name != "classes"}
    found = tally_records(work.folder / PREDICTIONS)
    arguments = dict(content["arguments"])
    if "output" in arguments:  # of the command line
        arguments |= {"output": str(work.folder), "shard": None}
    failures = [{"image": failure.image, "error": failure.error} for failure in found.failures]
    counts = {"images": found.images, "done": found.images - len(failures), "failed": len(failures)}
    flat = sum(manifest.get("tallies", {}).get("flat", 0) for manifest in manifests)
    return content | {
        "arguments": arguments,
        "counts": counts,
        "failures": failures,
        "started": min(manifest["started"] for manifest in manifests),
        "seconds": round(sum(manifest["seconds"] for manifest in manifests), 3),
        "tallies": {"flat": flat},
        "run": identity,
    }
