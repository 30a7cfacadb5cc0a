"""What a run is, so that it is known again: what it was asked, of which images, with which weights."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from wsloc import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsloc.records import ImageFile
    from wsloc.running.shards import Shard

Identity = dict[str, Any]
# Arguments of a command that change no result, or whose meaning is among the other entries of an identity.
UNCOUNTED = frozenset(
    {
        "as_json",
        "checkpoint",
        "class_names",
        "device",
        "images",
        "labels",
        "output",
        "overwrite",
        "profile",
        "quiet",
        "shard",
        "verbose",
        "workers",
    }
)
IMAGES = frozenset({"images", "image_ids", "image_files"})
LONGEST_SHOWN = 40  # characters of a value in a message; digests are cut there


def run_identity(
    command: str,
    arguments: Mapping[str, Any],
    *,
    files: Sequence[ImageFile],
    shard: Shard,
    **entries: object,
) -> Identity:
    """The identity of a run, as JSON has it: two runs with one identity write the same bytes.

    Args:
        command: `boxes`, `seeds` or `eval`: a folder holds results of one.
        arguments: of the command; those of `UNCOUNTED` are left out.
        files: all images, of the other shards too.
        shard: which part of them the run does.
        **entries: what else decides: digests of files, the kind of device; they stand for arguments of the same name.
    """
    counted = {name: value for name, value in arguments.items() if name not in UNCOUNTED}
    identity = {
        "command": command,
        **counted,
        **entries,
        **images_identity(files),
        "shard": None if shard.is_whole else str(shard),
        "wsloc": __version__,
    }
    # Read back as it will be read from the folder: tuples become lists, paths become text.
    return dict(json.loads(json.dumps(identity, default=str)))


def images_identity(files: Sequence[ImageFile]) -> Identity:
    """How many images there are, and digests of their ids and of where they lie; not of what they show."""
    real_folder = cache(os.path.realpath)
    return {
        "images": len(files),
        "image_ids": digest(file.image for file in files),
        "image_files": digest(os.path.join(real_folder(file.path.parent), file.path.name) for file in files),  # noqa: PTH118 - a million of them
    }


def digest(texts: Iterable[str]) -> str:
    """SHA-256, in hexadecimal, of some texts, in their order."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode(errors="surrogateescape") + b"\0")
    return found.hexdigest()


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between two records of arguments, in words: `epochs (2 there, 3 here)`.

    Nested records are compared entry by entry; lists are named without their content, long values are cut.
    """
    found: list[str] = []
    for name, value in here.items():
        other = there.get(name)
        if isinstance(value, dict):
            found += differences(other if isinstance(other, dict) else {}, value)
        elif other != value:
            words = name.replace("_", " ")
            long = isinstance(value, list) or isinstance(other, list)
            found.append(words if long else f"{words} ({_shown(other)} there, {_shown(value)} here)")
    return found


def run_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What differs between the identities of two runs, in words; images are counted, not listed.

    Runs of two commands have little in common: it is only said which these are.
    """
    commands = differences(*({"command": run.get("command")} for run in (there, here)))
    if commands:
        return commands
    found = differences(*({k: v for k, v in run.items() if k not in IMAGES} for run in (there, here)))
    if there.get("image_ids") != here.get("image_ids"):
        found += differences(*({"images": run.get("images")} for run in (there, here))) or ["images"]
    elif there.get("image_files") != here.get("image_files"):
        found.append("the images' folder")
    return found


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:12]}..."
