"""png/<image>.png and gray/<image>.png: the number of each pixel, with VOC's colours or as plain gray."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from wsloc.inputs.masks import voc_palette

if TYPE_CHECKING:
    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import ImageSeeds


def palette_png(seeds: ImageSeeds, numbering: Numbering) -> bytes:
    """A PNG of mode P with VOC's palette, as VOC's own SegmentationClass masks: 0 background, 255 ignore.

    Trainers that open it with Pillow and take `numpy.array` of it read numbers (DeepLab, mmsegmentation, SEAM).
    """
    return _png(seeds, numbering, palette=True)


def gray_png(seeds: ImageSeeds, numbering: Numbering) -> bytes:
    """The same numbers in mode L, for those that read PNGs as gray (`cv2.imread(path, 0)`): colours become others."""
    return _png(seeds, numbering, palette=False)


def _png(seeds: ImageSeeds, numbering: Numbering, *, palette: bool) -> bytes:
    picture = Image.fromarray(numbering.numbered(seeds))
    if palette:
        picture.putpalette(voc_palette())
    stream = BytesIO()
    picture.save(stream, format="PNG")
    return stream.getvalue()
