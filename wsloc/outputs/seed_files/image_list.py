"""list.txt: the images that have seeds, one a row, as trainers want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.files import replacing
from wsloc.words import printable

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.seed_files.seed_log import SeedLines

NAME = "list.txt"


def write_image_list(lines: SeedLines, folder: Path) -> None:
    """Write `folder/list.txt`: `a/b` for `a/b.jpg`, so that its files are `png/a/b.png`, `irn/a/b.npy`, ...

    Row i, from 0, is `<i>` of the SEC pickle.

    Raises:
        OutputError: if the file cannot be written.
    """
    with (
        replacing(folder / NAME) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as stream,
    ):
        stream.writelines(f"{printable(line.name)}\n" for line in lines())
