from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from wsloc.errors import DataError, TrainingError
from wsloc.inputs import training_set
from wsloc.inputs.extra_supervision import ExtraSample
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.inputs.training_set import Augmentation, TrainingBatches, drawn_cut, require_pictures
from wsloc.records import Classes, Sample

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = Classes(("cat", "dog", "fox"), ("cat", "dog", "fox"))
SMALL = Preprocessing(image_size=8)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Eleven images, each of its own gray, so that it is known again; the last has two labels."""
    found = []
    for number in range(11):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (20, 12), (number * 20,) * 3).save(path)
        labels = ("cat", "fox") if number == 10 else (CLASSES.ids[number % 3],)
        found.append(Sample(path.name, path, labels))
    return found


def batches(samples: list[Sample], augmentation: Augmentation | None, **options: Any) -> TrainingBatches:
    return TrainingBatches(samples, CLASSES, SMALL, augmentation, **{"batch_size": 4, **options})


def order(epoch: TrainingBatches, workers: int = 0) -> list[list[int]]:
    return [[int(picture[0, 0, 0]) // 20 for picture in pixels] for pixels, _ in epoch.load(workers)]


def test_without_augmentation_every_image_comes_once_and_in_order(samples: list[Sample]) -> None:
    epoch = batches(samples, None)
    assert len(epoch) == 3
    assert order(epoch) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    pixels, targets = list(epoch.load(0))[2]
    assert (pixels.dtype, pixels.shape) == (torch.uint8, (3, 8, 8, 3))
    assert torch.equal(targets, torch.tensor([[0.0, 0, 1], [1, 0, 0], [1, 0, 1]]))


def test_the_order_depends_on_seed_and_epoch_alone_and_is_pinned(samples: list[Sample]) -> None:
    assert order(batches(samples, Augmentation())) == [[4, 6, 7, 2], [0, 3, 5, 10]]


def test_an_epoch_is_shuffled_whole_and_leaves_out_its_last_smaller_batch(samples: list[Sample]) -> None:
    epochs = [batches(samples, Augmentation(), epoch=epoch) for epoch in (0, 1, 1)]
    first, second, again = (order(epoch) for epoch in epochs)
    assert second == again
    assert first != second
    assert order(batches(samples, Augmentation(), random_seed=1)) != first
    for seen, epoch in zip((first, second), epochs, strict=False):
        assert [len(batch) for batch in seen] == [4, 4]
        assert sorted([*seen[0], *seen[1], *epoch.left_out]) == list(range(11))


def test_fewer_images_than_a_batch_are_a_batch(samples: list[Sample]) -> None:
    assert [len(batch) for batch in order(batches(samples[:3], Augmentation()))] == [3]


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_the_number_of_workers_changes_nothing(
    tmp_path: Path, samples: list[Sample], augmentation: Augmentation | None
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for sample in samples:
        Image.fromarray(noise).save(tmp_path / sample.image)
    epoch = batches(samples, augmentation)
    one, two, three = (
        [(pixels.numpy().tobytes(), targets.numpy().tobytes()) for pixels, targets in epoch.load(workers)]
        for workers in (0, 1, 2)
    )
    assert one == two == three
    assert len(one) == (3 if augmentation is None else 2)


class Measured:
    """Stands for a picture and keeps what is cut out of it."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.boxes: list[tuple[float, ...]] = []

    def resize(
        self, size: tuple[int, int], _resampling: Image.Resampling, box: tuple[float, ...]
    ) -> Image.Image:
        self.boxes.append(box)
        picture = Image.new("RGB", size)
        picture.paste("white", (0, 0, 1, size[1]))  # the left edge, to tell which way round it is
        return picture


def crops(
    augmentation: Augmentation, width: int, height: int, count: int
) -> tuple[list[tuple[float, ...]], list[bool]]:
    picture, mirrored = Measured(width, height), []
    for member in range(count):
        random = np.random.default_rng((0, 0, member))
        measured = cast("Image.Image", picture)
        pixels = drawn_cut(measured, 8, augmentation, random).of(measured, 8)
        assert pixels.shape == (8, 8, 3)
        assert pixels.flags.c_contiguous
        mirrored.append(bool(pixels[0, -1, 0]))
    return picture.boxes, mirrored


def test_crops_are_pinned_since_trainings_are_resumed() -> None:
    boxes, _ = crops(Augmentation(), 60, 40, 3)
    expected = [(0.8163, 0, 40.8935, 40), (12.6692, 0, 50.711, 40), (13.0013, 0, 54.6783, 40)]
    np.testing.assert_allclose(boxes, expected, atol=1e-4)


@pytest.mark.parametrize(("width", "height"), [(60, 40), (40, 60), (1, 1), (500, 2)])
def test_crops_lie_inside_and_keep_their_share(width: int, height: int) -> None:
    boxes, mirrored = crops(Augmentation(smallest_crop=0.5), width, height, 200)
    x0, y0, x1, y1 = np.array(boxes).T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= width).all()
    assert (y1 <= height).all()
    assert (x0 < x1).all()
    assert (y0 < y1).all()
    assert 60 < sum(mirrored) < 140
    if max(width, height) < 2 * min(width, height) and width > 1:  # the aspect of a crop fits in
        share = (x1 - x0) * (y1 - y0) / (width * height)
        assert share.min() > 0.4
        assert share.max() > 0.8
        assert share.std() > 0.05


def test_nothing_is_cut_or_mirrored_where_nothing_is_asked_for() -> None:
    boxes, mirrored = crops(Augmentation(smallest_crop=1, flip=False), 60, 40, 20)
    assert set(boxes) == {(0.0, 0.0, 60.0, 40.0)}
    assert not any(mirrored)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_ends_the_training_in_one_line(samples: list[Sample], workers: int) -> None:
    path = samples[5].path
    assert path is not None
    path.write_bytes(path.read_bytes()[:50])
    loaded = batches(samples, None).load(workers)
    next(loaded)
    with pytest.raises(DataError) as caught:
        next(loaded)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("a training needs all its pictures: mend it, or take it out")
    assert "\n" not in message


def test_the_first_epoch_looks_at_the_pictures_it_leaves_out_too(samples: list[Sample]) -> None:
    epoch = batches(samples, Augmentation())
    path = samples[int(epoch.left_out[-1])].path
    assert path is not None
    path.write_bytes(b"no picture")
    loaded = epoch.load(0)
    assert len([next(loaded) for _ in range(len(epoch))]) == 2
    with pytest.raises(DataError, match=f"{path}: is not an image"):
        next(loaded)


@pytest.mark.parametrize("path", ["gone", "none"])
def test_missing_pictures_are_noticed_before_the_first_step(samples: list[Sample], path: str) -> None:
    whole, place = list(samples), samples[7].path
    assert place is not None
    samples[7] = replace(samples[7], path=None if path == "none" else place.with_name("gone.png"))
    name = "7.png" if path == "none" else f"{place.with_name('gone.png')}"
    message = rf"^{name}: there is no such picture \(1 of 11 images have none\): a training needs them all$"
    with pytest.raises(DataError, match=message):
        require_pictures(samples)
    with pytest.raises(DataError, match=message):
        next(batches(samples, Augmentation()).load(0))
    later = batches(samples, None, epoch=3)
    with pytest.raises(DataError, match=r"has no picture to train on|is not there: a training needs all"):
        list(later.load(0))
    require_pictures(whole)


def test_a_killed_worker_is_one_line(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(path: Path) -> Image.Image:
        if path.name == "5.png":
            os.kill(os.getpid(), signal.SIGKILL)
        return Image.new("RGB", (20, 12))

    monkeypatch.setattr(training_set, "decode", dying)
    with pytest.raises(TrainingError) as caught:
        list(batches(samples, None).load(2))
    assert str(caught.value) == (
        "batch 2 of 3: a worker process was lost (SIGKILL: out of memory?): "
        "try a smaller --batch-size, or --workers 0"
    )


def test_extra_supervision_is_cut_like_its_picture(tmp_path: Path) -> None:
    """A picture that is its own mask: after the cut they still agree, but for the edges' interpolation."""
    extra = []
    for number in range(3):
        shade = np.zeros((40, 60), np.uint8)
        shade[5 + 5 * number : 30, 10 : 35 + number] = 1
        path, mask = tmp_path / f"{number}.png", tmp_path / f"mask-{number}.png"
        Image.fromarray(shade * 255).convert("RGB").save(path)
        Image.fromarray(shade).save(mask)
        sample = Sample(path.name, path, ("cat",))
        extra.append(ExtraSample(sample, ((0, 1),), mask if number else None, ((0, (10, 5, 35, 30)),)))
    epoch = batches([one.sample for one in extra] * 3, Augmentation(), extra=extra, extra_per_batch=2)
    assert len(epoch) == 2
    for _, _, pixels, class_index, regions, saliency, is_box in epoch.load(0):
        assert pixels.shape == (2, *SMALL.input_size((40, 60)), 3)
        assert class_index.tolist() == [[0], [0]]
        assert saliency.min() == 255
        assert is_box.dtype == torch.bool
        agree = (pixels[..., 0] > 127) == (regions[:, 0] == 1)
        assert agree.float().mean() > 0.9
        assert regions.any(dim=(1, 2, 3)).all()


def test_extra_images_come_in_turns_and_repeat(samples: list[Sample]) -> None:
    extra = [ExtraSample(sample, (), None, ((0, (0, 0, 20, 12)),)) for sample in samples[:3]]

    def drawn(epoch: int, workers: int = 0) -> list[list[int]]:
        loaded = batches(
            samples, Augmentation(), epoch=epoch, extra=extra, extra_per_batch=2, batch_size=2
        ).load(workers)
        return [pixels[:, 0, 0, 0].tolist() for _, _, pixels, *_ in loaded]

    first = drawn(0)
    assert len(first) == 5
    line = [shade for pair in first for shade in pair]
    assert sorted(line[:3]) == sorted(line[3:6]) == [0, 20, 40]  # each once before any comes again
    assert drawn(0) == first == drawn(0, workers=2)
    assert drawn(1) != first
    plain = [pixels.tolist() for pixels, _ in batches(samples, Augmentation(), batch_size=2).load(0)]
    with_extra = batches(samples, Augmentation(), extra=extra, extra_per_batch=2, batch_size=2).load(0)
    assert [pixels.tolist() for pixels, *_ in with_extra] == plain  # the others are not disturbed


def test_classes_of_unequal_number_are_filled_up(samples: list[Sample]) -> None:
    extra = [
        ExtraSample(samples[0], (), None, ((0, (0, 0, 20, 12)),)),
        ExtraSample(samples[10], (), None, ((2, (0, 0, 10, 12)), (0, (0, 0, 20, 12)))),
    ]
    epoch = batches(samples, Augmentation(1, flip=False), extra=extra, extra_per_batch=2)
    _, _, _, class_index, regions, _, _ = next(iter(epoch.load(0)))
    rows = sorted(class_index.tolist())
    assert rows == [[0, -1], [2, 0]]
    one = class_index.tolist().index([0, -1])
    assert regions[one, 0].min() == 1
    assert regions[one, 1].max() == 0
