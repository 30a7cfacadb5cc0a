from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from wsloc.errors import CheckpointError, UnsupportedError
from wsloc.inputs.images import decode
from wsloc.inputs.preprocessing import RESIZES, Preprocessing, box_to_image

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

QUICK = settings(max_examples=100, deadline=None, derandomize=True, database=None)
SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))
MODES = st.builds(Preprocessing, image_size=st.integers(1, 64), resize=st.sampled_from(RESIZES))


def stored(upright: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """How a camera stores a picture: EXIF says on which sides of the scene row 0 and column 0 lie."""
    if orientation in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    if orientation in (3, 4, 7, 8):
        upright = upright[::-1]
    return upright.swapaxes(0, 1) if orientation >= 5 else upright


@st.composite
def scenes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int, int, int], Preprocessing]:
    """An image size, a box in it that covers at least three input cells each way, and a preprocessing."""
    height, width = draw(st.tuples(st.integers(12, 150), st.integers(12, 150)))
    preprocessing = Preprocessing(draw(st.integers(12, 48)), draw(st.sampled_from(RESIZES)))
    rows, columns = preprocessing.input_size((height, width))
    least_width = min(width, math.ceil(3 * width / columns))
    least_height = min(height, math.ceil(3 * height / rows))
    x0, y0 = draw(st.integers(0, width - least_width)), draw(st.integers(0, height - least_height))
    x1, y1 = draw(st.integers(x0 + least_width, width)), draw(st.integers(y0 + least_height, height))
    return (height, width), (x0, y0, x1, y1), preprocessing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


@QUICK
@given(scene=scenes(), orientation=st.integers(1, 8))
def test_an_object_in_a_stored_picture_is_found_where_it_is_seen(
    folder: Path, scene: tuple[Any, Any, Preprocessing], orientation: int
) -> None:
    size, (x0, y0, x1, y1), preprocessing = scene
    upright = np.zeros((*size, 3), np.uint8)
    upright[y0:y1, x0:x1] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored(upright, orientation)).save(folder / "x.png", exif=exif)

    picture = decode(folder / "x.png")
    assert (picture.height, picture.width) == size
    cells = preprocessing.resized(picture)[..., 0] > 127  # (H, W)
    assert cells.shape == preprocessing.input_size(size)
    rows, columns = np.flatnonzero(cells.any(1)), np.flatnonzero(cells.any(0))
    edges = (int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)
    box = box_to_image(edges, (cells.shape[0], cells.shape[1]), size)

    across, down = size[1] / cells.shape[1], size[0] / cells.shape[0]
    for edge, truth, cell in zip(box, (x0, y0, x1, y1), (across, down, across, down), strict=True):
        assert abs(edge - truth) <= max(cell, 1)  # a picture smaller than the input is known by its pixels


@QUICK
@given(size=SIZES, preprocessing=MODES, data=st.data())
def test_boxes_are_inside_the_image_and_never_empty(
    size: tuple[int, int], preprocessing: Preprocessing, data: st.DataObject
) -> None:
    rows, columns = preprocessing.input_size(size)
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    bottom, right = data.draw(st.integers(top + 1, rows)), data.draw(st.integers(left + 1, columns))
    x0, y0, x1, y1 = box_to_image((top, left, bottom, right), (rows, columns), size)
    assert 0 <= x0 < x1 <= size[1]
    assert 0 <= y0 < y1 <= size[0]
    assert (x1 == size[1]) == (right == columns)
    assert (y1 == size[0]) == (bottom == rows)


@QUICK
@given(size=SIZES, image_size=st.integers(1, 64))
def test_keep_keeps_the_aspect_up_to_four_to_one(size: tuple[int, int], image_size: int) -> None:
    height, width = Preprocessing(image_size, "keep").input_size(size)
    assert min(height, width) == image_size
    assert max(height, width) == min(4 * image_size, round(max(size) * image_size / min(size)))
    assert (height <= width) == (size[0] <= size[1]) or height == width


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (1, 1), (3, 2)])
@pytest.mark.parametrize("resize", RESIZES)
def test_extreme_pictures_stay_small(size: tuple[int, int], resize: str) -> None:
    pixels = Preprocessing(32, resize).resized(Image.new("RGB", (size[1], size[0]), "red"))
    assert pixels.dtype == np.uint8
    assert pixels.shape[:2] == Preprocessing(32, resize).input_size(size)
    assert pixels.nbytes <= 4 * 32 * 32 * 3
    assert (pixels == (255, 0, 0)).all()


def test_downsizing_is_antialiased() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = Preprocessing(16).resized(Image.fromarray(stripes))
    assert np.abs(pixels[:, 1:-1].astype(int) - 128).max() <= 2


def test_normalized_is_the_textbook_formula_in_channels_first_order() -> None:
    preprocessing = Preprocessing(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    pixels = torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8)  # (1, 1, 1, 3)
    inputs = preprocessing.normalized(pixels)
    assert (inputs.shape, inputs.dtype) == ((1, 3, 1, 1), torch.float32)
    expected = [(0 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (1 - 0.3) / 2]
    torch.testing.assert_close(inputs.flatten(), torch.tensor(expected))
    larger = preprocessing.normalized(torch.zeros(2, 4, 5, 3, dtype=torch.uint8))
    assert larger.is_contiguous(memory_format=torch.channels_last)


def test_a_preprocessing_survives_json() -> None:
    preprocessing = Preprocessing(96, "keep", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.5]},
        {"mean": None},
        {"mean": [0, 0, math.nan]},
        {"std": [1, 1, 0]},
        {"std": "abc"},
        {"resize": "crop"},
        {"image_size": 0},
        {"image_size": 10**9},
        {"image_size": math.inf},
        {"image_size": "wide"},
    ],
)
def test_a_stored_preprocessing_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="preprocessing it holds cannot be read"):
        Preprocessing.from_dict({**Preprocessing().to_dict(), **change})


@pytest.mark.parametrize("size", [0, -3, 8193, 999_999, 64.5, "64", None])
def test_sizes_that_no_input_has_are_refused(size: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"image_size is a whole number of pixels from 1 to 8,192 \("):
        Preprocessing(image_size=size)


def test_other_values_out_of_range_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="resize must be one of squash, keep, not 'zoom'"):
        Preprocessing(resize="zoom")
    with pytest.raises(UnsupportedError, match="std above 0"):
        Preprocessing(std=(0.0, 1.0, 1.0))


def test_numpy_sizes_are_numbers_like_others() -> None:
    assert json.dumps(Preprocessing(image_size=np.int64(64)).to_dict())  # type: ignore[arg-type]  # it is no int


def test_a_stored_preprocessing_must_be_whole() -> None:
    values = Preprocessing().to_dict()
    del values["std"]
    with pytest.raises(CheckpointError, match="std"):
        Preprocessing.from_dict(values)
