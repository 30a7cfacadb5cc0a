from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.outputs.seed_files.examples import PLAIN, VOC, many, seeds
from wsloc.outputs.seed_files.index_png import gray_png, palette_png

if TYPE_CHECKING:
    from wsloc.outputs.seed_files.numbering import Numbering


@pytest.mark.parametrize("numbering", [PLAIN, VOC])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_trainers_load_are_the_seeds(numbering: Numbering, place: int) -> None:
    """Pillow's numbers of both, OpenCV's of the gray one."""
    found = many()[place]
    expected = numbering.numbered(found)
    for content in (palette_png(found, numbering), gray_png(found, numbering)):
        loaded = np.array(Image.open(BytesIO(content)))
        assert loaded.dtype == np.uint8
        assert (loaded == expected).all()
    gray = np.asarray(cv2.imdecode(np.frombuffer(gray_png(found, numbering), np.uint8), cv2.IMREAD_GRAYSCALE))
    assert (gray == expected).all()


def test_the_palette_is_vocs() -> None:
    """The colours of VOC's own masks, by heart."""
    with Image.open(BytesIO(palette_png(seeds(), VOC))) as file:
        assert file.mode == "P"
        colours = np.array(file.getpalette()).reshape(-1, 3)
        assert (np.array(file.convert("RGB"))[0] == [[0, 0, 0], [64, 0, 0], [224, 224, 192]]).all()
    assert len(colours) == 256
    known = {
        1: (128, 0, 0),
        8: (64, 0, 0),
        11: (192, 128, 0),
        12: (64, 0, 128),
        15: (192, 128, 128),
        20: (0, 64, 128),
    }
    assert {value: tuple(colours[value]) for value in known} == known
    with Image.open(BytesIO(gray_png(seeds(), VOC))) as file:
        assert file.mode == "L"


def test_a_palette_read_as_gray_is_why_there_are_both() -> None:
    turned = np.asarray(
        cv2.imdecode(np.frombuffer(palette_png(seeds(), VOC), np.uint8), cv2.IMREAD_GRAYSCALE)
    )
    assert not (turned == VOC.numbered(seeds())).all()
