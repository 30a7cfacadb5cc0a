"""Where the file of an image goes: always inside the output folder, whatever the image's id says."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST_NAME = 200  # bytes: file systems end at 255, and an extension and a temporary name still come on top
_NO_NAME = re.compile(
    "[\0\ud800-\udc7f\udd00-\udfff]"
)  # what no file can be called; only a made-up id holds it
_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")


def output_path(folder: Path, image_id: str, suffix: str) -> Path:
    """The file in `folder` for an image: `a/b.jpg` and `.npz` give `folder/a/b.jpg.npz`.

    Ids may be paths as they were given, so they are tamed: a drive and leading slashes are dropped, empty and
    `.` steps too, `..` becomes `__`, a backslash and what no file can be called `_`. A name of more than 200 bytes
    is cut and ends in eight digits of its hash instead.

    Args:
        folder: what the file never leaves.
        image_id: POSIX path, relative or absolute.
        suffix: put behind the name, with its dot.
    """
    steps = _DRIVE.sub("", _NO_NAME.sub("_", image_id).replace("\\", "_")).split("/")
    parts = ["__" if step == ".." else step for step in steps if step not in ("", ".")] or ["__"]
    return folder.joinpath(*parts[:-1], _cut(parts[-1]) + suffix)


def stem(image_id: str) -> str:
    """An image id without its extension: `a/b.jpg` gives `a/b`."""
    path = PurePosixPath(image_id)
    return str(path.with_suffix("")) if path.name else image_id


def refuse_clashes(images: Callable[[], Iterable[str]], folder: Path, suffix: str, own: str = "") -> None:
    """Refuse images whose files, named without the images' extensions, would overwrite one another.

    Takes 8 bytes of memory an image, so that data sets of any size can be checked.

    Args:
        images: gives the image ids, as often as it is called.
        folder: where the files go.
        suffix: of the files.
        own: name of a file that the format itself writes into `folder`.

    Raises:
        OutputError: naming the two images, or the image and the format's own file.
    """

    def paths() -> Iterable[tuple[str, Path]]:
        for image in images():
            yield image, output_path(folder, stem(image), suffix)

    hashes = np.fromiter((hash(path) for _, path in paths()), dtype=np.int64)
    hashes.sort()
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    suspects.add(hash(folder / own))
    first = {folder / own: ""} if own else {}
    for image, path in paths():
        if hash(path) not in suspects:
            continue
        if path in first:
            clash = f"{first[path]} and {image}" if first[path] else f"{image} and the format's own list"
            raise OutputError(f"{clash} would both be written to {path}: rename one, or run them apart")
        first[path] = image


def _cut(name: str) -> str:
    """A file name that leaves room for an extension."""
    content = os.fsencode(name)
    if len(content) <= LONGEST_NAME:
        return name
    digest = hashlib.blake2b(content, digest_size=4).hexdigest()
    return content[: LONGEST_NAME - 9].decode(errors="ignore") + "-" + digest
