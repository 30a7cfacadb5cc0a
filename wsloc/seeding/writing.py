"""The files of one image, whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsloc.files import write_bytes
from wsloc.outputs.overlays import save_overlay
from wsloc.outputs.seed_files.formats import FROM_LABELS, FROM_MAPS, OVERLAYS, seed_path
from wsloc.outputs.seed_overlays import draw_seeds
from wsloc.regions.frames import maps_to_image
from wsloc.regions.seeds import normalized

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds


@dataclass(frozen=True, slots=True)
class SeedWriter:
    """Writes the files of one image after the other; may be called by several threads.

    Attributes:
        folder: of the results.
        formats: of `SEED_FORMATS`; those of one file a run are passed over.
        numbering: of the classes.
    """

    folder: Path
    formats: tuple[str, ...]
    numbering: Numbering

    def write(self, seeds: ImageSeeds, picture: npt.NDArray[np.uint8] | None = None) -> list[Path]:
        """Write the files of an image, and its overlay where there is a picture to draw on; give their paths.

        Raises:
            OutputError: if one of them cannot be written.
        """
        written: list[Path] = []

        def put(name: str, content: bytes) -> None:
            path = seed_path(self.folder, name, seeds.image)
            write_bytes(path, content)
            written.append(path)

        for name in self.formats:
            if name in FROM_LABELS:
                put(name, FROM_LABELS[name](seeds, self.numbering))
        wanted = [name for name in self.formats if name in FROM_MAPS]
        if wanted:
            maps = normalized(maps_to_image(seeds.activation_maps, seeds.image_size))
            for name in wanted:
                put(name, FROM_MAPS[name](seeds, self.numbering, maps))
        if picture is not None:
            path = seed_path(self.folder, OVERLAYS, seeds.image)
            save_overlay(path, draw_seeds(picture, seeds, self.numbering))
            written.append(path)
        return written
