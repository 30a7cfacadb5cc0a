"""The folders of shards that are to be joined: all of one run, all complete, none missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from wsloc.errors import RunError, UsageError
from wsloc.outputs.manifest import NAME as MANIFEST
from wsloc.outputs.manifest import read_manifest
from wsloc.running.identity import run_differences
from wsloc.running.plans import read_plan
from wsloc.running.shards import Shard, parse_shard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from wsloc.running.identity import Identity


# Of an identity: which shard it is, and where the images lie.
OF_THE_PLACE = frozenset({"shard", "image_files", "tune_images"})
MISSING_NAMED = 10


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """The results of a shard.

    Attributes:
        folder: where they are.
        shard: which one it is.
        manifest: the content of its manifest.json.
    """

    folder: Path
    shard: Shard
    manifest: dict[str, Any]

    @property
    def identity(self) -> Identity:
        """Of the shard's run."""
        return dict(self.manifest["run"])


def read_shards(folders: Sequence[Path]) -> list[ShardFolder]:
    """The shards in some folders, in the order of their numbers.

    Where the images lie may differ: shards run on several machines.

    Raises:
        RunError: if a folder holds no complete shard, they are not of one run, or some are missing.
    """
    shards = sorted((_read(folder) for folder in folders), key=lambda found: found.shard.number)
    first = shards[0]
    for other in shards[1:]:
        differing = run_differences(_whole_run(first), _whole_run(other))
        if first.shard.count != other.shard.count:
            differing = [f"number of shards ({first.shard.count} there, {other.shard.count} here)"]
        if differing:
            raise RunError(
                f"{first.folder} and {other.folder} are not of one run: {', '.join(differing)}: name shards of one run"
            )
    given = Counter(found.shard.number for found in shards)
    twice = [str(found.folder) for found in shards if given[found.shard.number] > 1]
    if twice:
        raise RunError(f"{' and '.join(twice)} are the same shard: name one of them")
    count = first.shard.count
    missing = [f"{number}/{count}" for number in islice(_not_in(given, count), MISSING_NAMED)]
    if missing:
        unnamed = count - len(given) - len(missing)
        more = f" and {unnamed} more" if unnamed else ""
        raise RunError(f"shard {', '.join(missing)}{more} is missing: name its folder, too")
    return shards


def _not_in(given: Collection[int], count: int) -> Iterator[int]:
    """The numbers from 1 to `count` that are not among some."""
    return (number for number in range(1, count + 1) if number not in given)


def refuse_a_shard(output: Path, shards: Sequence[ShardFolder]) -> None:
    """Raise a UsageError if an output is the folder of one of the shards that go into it."""
    if output.resolve() in {found.folder.resolve() for found in shards}:
        raise UsageError(f"{output} is one of the shards: name another --output")


def whole_identity(shards: Sequence[ShardFolder]) -> Identity:
    """The identity of a run that does at once what these shards do."""
    return {**shards[0].identity, "shard": None}


def _read(folder: Path) -> ShardFolder:
    """The shard in a folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not there, or no folder: name the folders of shards")
    if read_plan(folder) is not None:
        raise RunError(f"{folder} is unfinished: run its command again, then merge")
    manifest = read_manifest(folder) or {}
    run = manifest.get("run")
    try:
        shard = parse_shard(str(run["shard"])) if isinstance(run, dict) and run.get("shard") else None
    except UsageError:
        shard = None
    if shard is None:
        raise RunError(f"{folder} does not hold a shard: name folders that `--shard I/N` wrote")
    if not _is_complete(manifest):
        raise RunError(
            f"{folder / MANIFEST} is not as wsloc wrote it: run the command of that shard again with --overwrite"
        )
    return ShardFolder(folder, shard, manifest)


def _is_complete(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest tells what a merge asks of it."""
    run = manifest["run"]
    asked = {"arguments": dict, "started": str, "seconds": int | float}
    if run.get("command") != "eval":
        asked["classes"] = dict
    return all(isinstance(manifest.get(name), kind) for name, kind in asked.items()) and all(
        isinstance(run.get(name), kind)
        for name, kind in {"command": str, "images": int, "batch_size": int}.items()
    )


def _whole_run(found: ShardFolder) -> Identity:
    """What shards of one run have in common."""
    return {name: value for name, value in found.identity.items() if name not in OF_THE_PLACE}
