"""The formats that seeds can be had in, by the name that asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsloc.outputs.paths import output_path, stem
from wsloc.outputs.seed_files import coco_masks, sec_pickle
from wsloc.outputs.seed_files.index_png import gray_png, palette_png
from wsloc.outputs.seed_files.irn import irn_npy
from wsloc.outputs.seed_files.map_archive import maps_npz
from wsloc.outputs.seed_files.psa import psa_npy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.outputs.seed_files.seed_log import SeedLines

OVERLAYS = "overlays"
SEED_FORMATS = ("png", "gray", "irn", "psa", "sec", "coco", "npz")
EIGHT_BITS = ("png", "gray")
SUFFIXES = {"png": ".png", "gray": ".png", "irn": ".npy", "psa": ".npy", "npz": ".npz"}
"""name -> what the files of a format end with that has one an image."""

FROM_LABELS: dict[str, Callable[..., bytes]] = {"png": palette_png, "gray": gray_png}
"""name -> `content(seeds, numbering)`."""

FROM_MAPS: dict[str, Callable[..., bytes]] = {"irn": irn_npy, "psa": psa_npy, "npz": maps_npz}
"""name -> `content(seeds, numbering, maps)`."""

OF_A_RUN: dict[str, Callable[[SeedLines, Numbering, Path], None]] = {
    "sec": lambda lines, _numbering, folder: sec_pickle.write_sec(lines, folder),
    "coco": coco_masks.write_coco,
}
"""name -> `write(lines, numbering, folder)`, for the formats of one file a run."""


def seed_path(folder: Path, name: str, image: str) -> Path:
    """The file of an image: `folder/png/a/b.png` of `a/b.jpg`, its overlay `folder/overlays/a/b.jpg.jpg`.

    Args:
        folder: of the results.
        name: key of `SUFFIXES`, or `overlays`.
        image: its id.
    """
    if name == OVERLAYS:
        return output_path(folder / name, image, ".jpg")
    return output_path(folder / name, stem(image), SUFFIXES[name])
