from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.example_localizers import picture
from wsloc.errors import ImageError
from wsloc.inputs.pictures import load_picture
from wsloc.inputs.preprocessing import Preprocessing

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.inputs.loading import LoadedImage

PIXELS = picture(size=(30, 50))


def loaded(form: Any) -> LoadedImage:
    return load_picture(form, "image-7", Preprocessing(image_size=16))


def test_every_form_is_the_same_picture(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    forms = (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(PIXELS), PIXELS)
    results = [loaded(form) for form in forms]
    assert [one.image for one in results] == ["a.png", "a.png", "image-7", "image-7"]
    for one in results:
        assert one.image_size == (30, 50)
        assert one.pixels.shape == (16, 16, 3)
        assert np.array_equal(one.pixels, results[0].pixels)
        assert one.picture is not None
        assert np.array_equal(one.picture, PIXELS)


def test_arrays_need_not_be_contiguous() -> None:
    flipped = loaded(PIXELS[::-1, ::-2])
    assert flipped.picture is not None
    assert np.array_equal(flipped.picture, PIXELS[::-1, ::-2])


def test_gray_becomes_rgb() -> None:
    assert np.array_equal(
        loaded(PIXELS[..., 0]).pixels, loaded(np.stack([PIXELS[..., 0]] * 3, axis=2)).pixels
    )
    alpha = Image.fromarray(PIXELS).convert("RGBA")
    assert np.array_equal(loaded(alpha).pixels, loaded(PIXELS).pixels)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("nowhere.jpg", r"nowhere\.jpg: is not there"),
        (
            np.zeros((4, 4, 3), np.float32),
            r"image-7: expected a uint8 array \(H, W, 3\) or \(H, W\), got float32",
        ),
        (np.zeros((4, 4, 4), np.uint8), r"got uint8 \(4, 4, 4\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"got uint8 \(2, 4, 4, 3\)"),
        (np.zeros(4, np.uint8), r"got uint8 \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "image-7: has no pixels"),
        (Image.new("RGB", (0, 3)), "image-7: has no pixels"),
        (torch.zeros(3, 4, 4), "image-7: expected a path, a Pillow image or a NumPy array, got Tensor"),
        (None, r"image-7: expected a path, a Pillow image or a NumPy array, got NoneType"),
    ],
)
def test_anything_else_is_refused(form: Any, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        loaded(form)


def test_a_pillow_image_that_turns_out_to_be_damaged_is_named() -> None:
    stream = BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG")
    with (
        Image.open(BytesIO(stream.getvalue()[:200])) as torn,
        pytest.raises(ImageError, match=r"image-7: the picture cannot be decoded"),
    ):
        loaded(torn)
