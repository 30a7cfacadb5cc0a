"""Shards of an evaluation: what each leaves in its folder, and the report that is made of all of them.

DIR/scores.jsonl    what each batch of the shard has come to, a line each, as `parts.take_part` makes them
DIR/manifest.json   which run, and which part of it
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsloc.errors import CheckpointError, RunError
from wsloc.evaluation.live_identity import live_identity
from wsloc.evaluation.report_folder import REPORT, SCORES, ReportResults, remove_files, shard_identity
from wsloc.evaluation.scoring import score_into
from wsloc.evaluation.stages import batches_of
from wsloc.files import make_folder, replacing
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import file_sha256, read_manifest, write_manifest
from wsloc.outputs.shard_folders import OF_THE_PLACE
from wsloc.records import Failure
from wsloc.running.carrying import Clock
from wsloc.running.identity import run_differences
from wsloc.running.journal import Entry, copy_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wsloc.evaluation.live_run import LiveRun
    from wsloc.evaluation.reporting import Evaluation
    from wsloc.evaluation.scores import Scores
    from wsloc.outputs.shard_folders import ShardFolder
    from wsloc.records import ImageFile
    from wsloc.running.ranks import Ranks
    from wsloc.running.shards import Shard
    from wsloc.running.unfinished import Work


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What a shard came to; its figures are those of all shards together.

    Attributes:
        shard: which one.
        images: how many it has.
        skipped: how many of them were done before.
        failures: those that could not be used.
        seconds: of the whole run, without what was done before.
        manifest: the file that documents it.
    """

    shard: Shard
    images: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float
    manifest: Path


@dataclass(frozen=True, slots=True)
class ShardResults(ReportResults):
    """The results of a shard in its folder, as `open_work` asks for them.

    Attributes:
        files: its images.
    """

    files: Sequence[ImageFile]

    def identity(self) -> Mapping[str, Any] | None:
        """Of the complete shard that stands there; empty if it is not known, or a report; None without one."""
        if (self.folder / MANIFEST).is_file():
            return shard_identity(self.folder)
        return {} if any((self.folder / name).is_file() for name in (SCORES, *REPORT)) else None

    def are_whole(self) -> bool:
        """Whether the scores are those that were written, and no image has changed since."""
        try:
            written = (self.folder / MANIFEST).stat().st_mtime
            whole = (read_manifest(self.folder) or {}).get("scores_sha256") == _sha256(self.folder / SCORES)
        except (OSError, RunError):
            return False
        for file in self.files:
            with suppress(OSError):  # what is not there, and was not, has not changed
                if file.path.stat().st_mtime > written:
                    return False
        return whole

    def clear(self) -> None:
        """Remove what an earlier evaluation left in the folder; make the folder if it is not there.

        Raises:
            OutputError: if it is a file, or cannot be made or written to.
        """
        make_folder(self.folder)
        remove_files(self.folder, (MANIFEST, SCORES, *REPORT))


def evaluate_shard(
    folder: Path,
    run: LiveRun,
    *,
    checkpoint: Path | None = None,
    model: str | None = None,
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
) -> ShardSummary | None:
    """Score the images of a shard; `join_shards` makes the report of all of them.

    Every shard does all of the tuning set, since its choice decides what is scored.

    Args:
        folder: where the results go.
        run: what is scored; its options name the shard.
        checkpoint: the weights file, to know the evaluation again; None where no file was read.
        model: the model's name, likewise.
        overwrite: whether what another run left in the folder is replaced.
        on_batch: called with the number of images done, by any process, since the last call.
        ranks: this process among those of the shard; None for the only one.

    Returns:
        What the shard came to; None in a process that does not lead.

    Raises:
        UsageError: if the folder holds another run, and is not to be overwritten.
        OutputError: if something cannot be written.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        RunError: if another process of the shard is gone.
    """
    clock, files = Clock(), run.own_files
    identity = live_identity(run, checkpoint=checkpoint, model=model)

    def finish(work: Work, _joined: Callable[[], Scores]) -> ShardSummary:
        if not work.complete:
            with replacing(folder / SCORES) as temporary, temporary.open("wb") as stream:
                stream.writelines(copy_lines(work.entries()))
            write_manifest(
                folder,
                arguments=run.options.arguments or {},
                checkpoint=checkpoint,
                model=model,
                device=run.localizer.device.type,
                images=len(files),
                failures=list(_failures(folder / SCORES, run)),
                started=clock.started,
                seconds=clock.seconds,
                run=identity,
                scores_sha256=_sha256(folder / SCORES),
                working_folder=str(Path.cwd()),
            )
            work.finish()
        told = (read_manifest(folder) or {}).get("failures", ())
        failures = tuple(Failure(found["image"], found["error"]) for found in told)
        return ShardSummary(
            *(run.options.shard, len(files), work.skipped, failures, clock.seconds, folder / MANIFEST)
        )

    return score_into(
        *(folder, run, identity, ShardResults(folder, files), finish),
        overwrite=overwrite,
        on_batch=on_batch,
        ranks=ranks,
    )


def join_shards(
    shards: Sequence[ShardFolder],
    output: Path,
    run: LiveRun,
    *,
    checkpoint: Path | None = None,
    model: str | None = None,
) -> Evaluation:
    """Write the report of an evaluation that its shards have scored: the bytes that one run would have written.

    Args:
        shards: all of them, in their order.
        output: where the report goes.
        run: what was scored, all shards together; nothing goes through its network.
        checkpoint: the weights file; None where no file was read.
        model: the model's name.

    Raises:
        RunError: if the shards are not of this run, or not whole.
        DataError: if no picture is of the size that its annotation says.
        OutputError: if the report cannot be written.
    """
    there, here = (
        {name: value for name, value in identity.items() if name not in {*OF_THE_PLACE, "device"}}
        for identity in (shards[0].identity, live_identity(run, checkpoint=checkpoint, model=model))
    )
    differing = run_differences(there, here)
    if differing:
        raise RunError(
            f"{shards[0].folder} was scored with something else than is there now: {', '.join(differing)}: bring it "
            "back, or run the shards again"
        )
    joined = run.score_share(_ShardBatches.of(shards, run))
    evaluation = run.evaluation(joined())
    evaluation.write(output)
    return evaluation


def folder_of_paths(shards: Sequence[ShardFolder]) -> Path:
    """From where the paths that a shard's command was given lead to its annotations.

    That is where one of the shards ran; where none of these places is (they were other machines'), it is here.

    Args:
        shards: in their order; the first one's arguments count.

    Raises:
        RunError: if the annotations are in none of these places.
        KeyError: if the arguments name none.
    """
    here, annotations = Path.cwd(), shards[0].manifest["arguments"]["annotations"]
    places = dict.fromkeys((*(Path(shard.manifest.get("working_folder", here)) for shard in shards), here))
    for place in places:
        with suppress(OSError):
            if (place / annotations).exists():
                return place
    raise RunError(
        f"{annotations}, which {shards[0].folder} was scored against, is not in {' nor in '.join(map(str, places))}: "
        "bring it back, or merge where the shards ran"
    )


@dataclass(frozen=True, slots=True)
class _ShardBatches:
    """The batches of an evaluation, all done by its shards: what `Stage` asks for.

    Attributes:
        batches: numbers of all batches.
        found: each of them, where a shard's lines have it.
    """

    batches: Sequence[int]
    found: Mapping[int, Entry]
    todo: tuple[int, ...] = ()
    journal: None = None

    @classmethod
    def of(cls, shards: Sequence[ShardFolder], run: LiveRun) -> _ShardBatches:
        """Those of a run, from its shards in their order.

        Raises:
            RunError: if a shard is not as it was written.
        """
        found: dict[int, Entry] = {}
        for shard in shards:
            path, numbers = shard.folder / SCORES, batches_of(run.counts, shard.shard)
            if shard.manifest.get("scores_sha256") != _sha256(path):
                raise RunError(f"{path} is not as it was written: run the command of that shard again")
            with path.open("rb") as stream:
                ends = pairwise([0, *accumulate(map(len, stream))])
            for number, (start, end) in zip(numbers, ends, strict=True):
                found[number] = Entry(number, path, start, end, end, {})
        return cls(run.batches, found)

    def meet(self, stage: str) -> None:
        """There is nobody to wait for."""

    def entries(self, numbers: Sequence[int] | None = None) -> list[Entry]:
        """Some batches, or all, in their order."""
        return [self.found[number] for number in (self.batches if numbers is None else numbers)]


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except CheckpointError as error:  # what it is mostly asked about
        raise RunError(f"{error}: run the command of that shard again") from error


def _failures(path: Path, run: LiveRun) -> Iterator[Failure]:
    """The images that could not be used, as the lines of scoring tell, which come first; others are tuned on."""
    with path.open("rb") as stream:
        for line in islice(stream, len(run.options.shard.batches(run.counts[0]))):
            for image, error in json.loads(line)["failures"]:
                yield Failure(image, error)
