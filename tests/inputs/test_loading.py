from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from wsloc.errors import ImageError
from wsloc.inputs import images, loading
from wsloc.inputs.loading import LoadedImage, load, load_batches, prepare
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.inputs.workers import LostWorkerError
from wsloc.records import Failure, ImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsloc.inputs.loading import LoadedBatch

SMALL = Preprocessing(image_size=16)


@pytest.fixture
def files(tmp_path: Path) -> list[ImageFile]:
    """Seven images of different sizes; the third is damaged, the sixth is missing."""
    random = np.random.default_rng(0)
    for number in range(7):
        pixels = random.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:200])
    (tmp_path / "5.png").unlink()
    return [ImageFile(f"{number}.png", tmp_path / f"{number}.png") for number in range(7)]


def test_the_key_is_of_what_an_image_shows(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    keys = []
    for name, content in (("a.png", pixels), ("b.bmp", pixels), ("c.png", 255 - pixels)):
        Image.fromarray(content).save(tmp_path / name)
        image = load(ImageFile(name, tmp_path / name), SMALL, with_picture=False)
        assert isinstance(image, LoadedImage)
        keys.append(image.key)
    assert keys[0] == keys[1] != keys[2]
    assert 0 <= min(keys) <= max(keys) < 2**64


def values(batches: list[LoadedBatch]) -> list[list[object]]:
    """What can be compared."""
    return [
        [
            item
            if isinstance(item, Failure)
            else (
                item.image,
                item.image_size,
                item.pixels.tobytes(),
                None if item.picture is None else item.picture.tobytes(),
            )
            for item in batch
        ]
        for batch in batches
    ]


def test_an_image_is_loaded_at_the_inputs_size(files: list[ImageFile]) -> None:
    loaded = load(files[4], SMALL, with_picture=True)
    assert isinstance(loaded, LoadedImage)
    assert (loaded.image, loaded.image_size) == ("4.png", (24, 30))
    assert loaded.pixels.shape == (16, 16, 3)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.picture is not None
    np.testing.assert_array_equal(loaded.picture, np.asarray(Image.open(files[4].path)))
    without = load(files[4], SMALL, with_picture=False)
    assert isinstance(without, LoadedImage)
    assert without.picture is None


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_cut_once_and_failures_stand_in_their_places(
    files: list[ImageFile], workers: int
) -> None:
    batches = list(load_batches(files, SMALL, batch_size=3, workers=workers))
    assert [[item.image for item in batch] for batch in batches] == [
        ["0.png", "1.png", "2.png"],
        ["3.png", "4.png", "5.png"],
        ["6.png"],
    ]
    failures = [item for batch in batches for item in batch if isinstance(item, Failure)]
    assert [failure.image for failure in failures] == ["2.png", "5.png"]
    assert failures[0].error.startswith(f"{files[2].path}: cannot be decoded (")
    assert failures[1].error == f"{files[5].path}: is not there"


@pytest.mark.parametrize("with_picture", [False, True])
def test_the_number_of_workers_changes_no_byte(files: list[ImageFile], with_picture: bool) -> None:
    one, two, three = (
        values(list(load_batches(files, SMALL, batch_size=2, workers=workers, with_picture=with_picture)))
        for workers in (0, 1, 2)
    )
    assert one == two == three
    assert len({str(item) for batch in one for item in batch}) == 7


def test_reading_draws_no_random_numbers(files: list[ImageFile]) -> None:
    before = torch.get_rng_state()
    for workers in (0, 1):
        list(load_batches(files, SMALL, batch_size=4, workers=workers))
    assert torch.equal(torch.get_rng_state(), before)


def test_no_files_are_no_batches() -> None:
    assert list(load_batches([], SMALL, batch_size=4, workers=2)) == []


@pytest.mark.parametrize(
    ("size", "expected"),
    [((5000, 10), (2048, 4)), ((3, 5000), (1, 2048)), ((1, 5000), (1, 2048)), ((30, 20), (30, 20))],
)
def test_large_pictures_are_kept_smaller_and_narrow_ones_stay_visible(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size, "red")
    loaded = prepare("x", picture, SMALL, with_picture=True)
    assert loaded.image_size == (size[1], size[0])
    assert loaded.picture is not None
    assert loaded.picture.shape == (expected[1], expected[0], 3)
    assert picture.size == size  # the caller's own


@pytest.mark.parametrize(("number", "item"), [(4, "4.png"), (5, "5.png")])
def test_a_killed_worker_names_its_image(
    files: list[ImageFile], monkeypatch: pytest.MonkeyPatch, number: int, item: str
) -> None:
    def dying(path: Path) -> Image.Image:
        if path.name == f"{number}.png":
            time.sleep(0.1)
            os.kill(os.getpid(), signal.SIGKILL)
        return images.decode(path)

    monkeypatch.setattr(loading, "decode", dying)
    batches = load_batches(files, SMALL, batch_size=2, workers=2)
    assert [len(next(batches)) for _ in range(2)] == [2, 2]
    with pytest.raises(ImageError) as caught:
        next(batches)
    assert str(caught.value) == (
        f"{files[0].path.parent / item}: a worker process was lost (SIGKILL: out of memory?): "
        "try a smaller --batch-size, or --workers 0"
    )


def test_a_worker_that_dies_between_two_images_names_the_batch(
    files: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object) -> Iterator[LoadedBatch]:
        raise LostWorkerError("a worker process could not start (no memory)", 1, None)

    monkeypatch.setattr(loading, "read_lists_ahead", lose)
    with pytest.raises(ImageError, match=r"^images 2\.png to 3\.png: a worker process could not start"):
        next(load_batches(files, SMALL, batch_size=2, workers=2))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_can_be_had_by_their_numbers(files: list[ImageFile], workers: int) -> None:
    some = load_batches(files, SMALL, batch_size=2, workers=workers, numbers=(3, 1))
    assert [[item.image for item in batch] for batch in some] == [["6.png"], ["2.png", "3.png"]]


def test_an_input_that_does_not_fit_into_memory_is_that_images_failure(
    files: list[ImageFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", refuse)
    assert load(files[0], SMALL, with_picture=False) == Failure(
        "0.png",
        f"{files[0].path}: an input of 16 x 16 pixels does not fit into memory: try a smaller --image-size",
    )


@pytest.mark.parametrize(
    ("images", "batch_size", "numbers", "asked"),
    [(4, 1, None, 2), (4, 3, None, 2), (4, 4, None, 0), (4, 16, None, 0), (4, 1, [2], 0), (4, 1, [1, 2], 2)],
)
def test_one_batch_needs_no_workers(
    files: list[ImageFile],
    monkeypatch: pytest.MonkeyPatch,
    images: int,
    batch_size: int,
    numbers: list[int] | None,
    asked: int,
) -> None:
    given: list[int] = []

    def read(_work: object, _count: int, workers: int) -> Iterator[LoadedBatch]:
        given.append(workers)
        return iter(())

    monkeypatch.setattr(loading, "read_lists_ahead", read)
    list(load_batches(files[:images], SMALL, batch_size=batch_size, workers=2, numbers=numbers))
    assert given == [asked]
