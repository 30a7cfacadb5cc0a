"""The images of a command, apart from the pictures that an earlier run of it wrote."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wsloc.errors import ImageError
from wsloc.words import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wsloc.records import ImageFile


def images_apart(
    images: Sequence[str], output: Path, earlier: Callable[[], Iterable[Path]]
) -> list[ImageFile]:
    """The images named, without the pictures that an earlier run left in the output folder.

    Those are about to be replaced, and `wsloc boxes .` would find them. Pictures that no earlier run's log accounts
    for are images like others, wherever they are.

    Args:
        images: files, folders or `@list.txt`.
        output: folder of the results.
        earlier: gives the pictures that an earlier run wrote there.

    Raises:
        ImageError: if there is nothing but such pictures, or one was named itself.
    """
    from wsloc.inputs.images import find_images

    def place(path: Path) -> tuple[str, str]:
        return real_folder(path.parent), path.name

    files = find_images(images)
    if not output.is_dir():
        return files
    real_folder = cache(os.path.realpath)
    written = {place(path) for path in earlier()}
    kept = [file for file in files if place(file.path) not in written]
    if len(kept) == len(files):
        return files
    named = [image for image in images if not Path(image).is_dir()]
    for file in find_images(named) if named else ():
        if place(file.path) in written:
            raise ImageError(
                f"{printable(file.path)} was drawn by the earlier run in {output}, which is about to be replaced: "
                "name another --output"
            )
    if not kept:
        raise ImageError(
            f"no image found but the pictures of an earlier run in {output}: name another --output"
        )
    return kept
