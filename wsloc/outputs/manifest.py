"""manifest.json: what a run was, so that it can be repeated."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from wsloc.errors import CheckpointError, OutputError
from wsloc.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from wsloc.records import Failure

SCHEMA_VERSION = 1
NAME = "manifest.json"
PACKAGES = ("wsloc", "torch", "torchvision", "numpy", "pillow")


def write_manifest(
    folder: Path,
    *,
    arguments: Mapping[str, Any],
    checkpoint: Path | None,
    model: str | None,
    device: str,
    images: int,
    failures: Sequence[Failure],
    started: datetime,
    seconds: float,
    **entries: object,
) -> Path:
    """Write `folder/manifest.json`, whole or not at all, and return its path.

    Args:
        folder: the output folder.
        arguments: options by name; what JSON does not know (paths) is written as text.
        checkpoint: the weights file, named with its SHA-256; None if no file was read.
        model: name of a ready-made model, or None.
        device: what it ran on, `cpu` or `cuda:0`.
        images: how many were asked for.
        failures: those that could not be used.
        started: an aware time; written in UTC.
        seconds: how long the run took.
        **entries: what else is written, behind the others: `run`, its identity, and what was counted.

    Raises:
        OutputError: if the file cannot be written, or an argument is NaN or infinite.
        CheckpointError: if the checkpoint cannot be read.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "versions": versions(),
        "arguments": dict(arguments),
        "checkpoint": None
        if checkpoint is None
        else {"path": str(checkpoint), "sha256": file_sha256(checkpoint)},
        "model": model,
        "device": device,
        "counts": {"images": images, "done": images - len(failures), "failed": len(failures)},
        "failures": [{"image": failure.image, "error": failure.error} for failure in failures],
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        **entries,
    }
    return write_content(folder, content)


def write_content(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write what `write_manifest` or `read_manifest` put together.

    Raises:
        OutputError: if the file cannot be written, or a value is NaN or infinite.
    """
    path = folder / NAME
    write_text(path, _json(content, path))
    return path


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The content of `folder/manifest.json`; None if there is none that can be read."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _json(content: Mapping[str, Any], path: Path) -> str:
    """Indented JSON; readable characters stay, unless a file name is no UTF-8."""
    try:
        text = json.dumps(dict(content), ensure_ascii=False, allow_nan=False, indent=2, default=str)
    except ValueError as error:
        raise OutputError(f"cannot write {path}: NaN or infinity among its values") from error
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = json.dumps(dict(content), allow_nan=False, indent=2, default=str)
    return text + "\n"


def versions() -> dict[str, str | None]:
    """Versions of wsloc, Python and what the figures depend on; None for what is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return {**found, "python": platform.python_version()}


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in pieces.

    Raises:
        CheckpointError: if the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
