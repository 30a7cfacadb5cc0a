from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from tests.evaluation.example_data_set import write_data_set
from tests.example_localizers import Limited
from wsloc.errors import MemoryLimitError
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.evaluation.scores import Scores
from wsloc.evaluation.ten_crop import add_ten_crops, ten_crop_guesses, ten_crops
from wsloc.fitting import Fitting
from wsloc.inputs.annotations.formats import read_annotations
from wsloc.inputs.images import find_images
from wsloc.loader import load
from wsloc.records import ImageFile

if TYPE_CHECKING:
    from pathlib import Path


def test_corners_centre_and_their_mirror_images() -> None:
    ramp = np.add.outer(np.arange(256) // 2, np.arange(300) // 4).astype(np.uint8)
    crops = ten_crops(Image.fromarray(np.repeat(ramp[..., None], 3, axis=2)), 224)
    whole = ramp  # the shorter side is 256 already
    assert crops.shape == (10, 224, 224, 3)
    for crop, (y, x) in zip(crops, ((0, 0), (0, 76), (32, 0), (32, 76), (16, 38)), strict=False):
        assert np.array_equal(crop[..., 0], whole[y : y + 224, x : x + 224])
    assert np.array_equal(crops[5:], crops[:5, :, ::-1])


def test_the_mean_of_ten_softmaxes_and_images_that_fail(tmp_path: Path) -> None:
    localizer = load("demo", device="cpu")
    files = [*find_images([write_data_set(tmp_path / "val", count=3) / "images"])]
    files.insert(1, ImageFile("gone.png", tmp_path / "gone.png"))
    guesses = ten_crop_guesses(localizer, files, "cam", batch_size=20)
    assert guesses.shape == (4, 5)
    assert (guesses[1] == -1).all()
    for row in (0, 2, 3):
        pixels = torch.from_numpy(ten_crops(Image.open(files[row].path).convert("RGB"), 64))
        mean = localizer.logits(pixels).softmax(dim=1).mean(dim=0)
        assert guesses[row].tolist() == mean.topk(5).indices.tolist()


def test_maps_of_one_pooling_share_guesses_and_what_has_failed_has_none(tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=3)
    localizer, files = load("demo", device="cpu"), find_images([data / "images"])
    pairs = [(sample.image, sample) for sample in read_annotations(data)]
    names = ["cam", "entropy-class", "gradcam"]
    scores = Scores(pairs, localizer.classes, [RunKey(name, BoxRule("mass", 0.9)) for name in names])
    scores.fail(1, "1.png: is of another size")
    add_ten_crops(localizer, files, names, scores)
    assert scores.ten_crop["gradcam"] is scores.ten_crop["cam"]
    assert list(scores.ten_crop) == names
    for best in scores.ten_crop.values():
        assert (best[:, 0] < 0).tolist() == [False, True, False]
    alone = ten_crop_guesses(localizer, files, "entropy-class")
    assert np.array_equal(scores.ten_crop["entropy-class"][[0, 2]], alone[[0, 2]])


@pytest.mark.parametrize("map_name", ["cam", "entropy-class"])
def test_crops_that_do_not_fit_into_memory_go_through_in_halves(tmp_path: Path, map_name: str) -> None:
    own = load("demo", device="cpu")
    files = find_images([write_data_set(tmp_path / "val", count=3) / "images"])
    limited = Limited(own.network, 4)
    small = replace(own, network=limited, fitting=Fitting())
    guesses = ten_crop_guesses(small, files, map_name, batch_size=30)
    assert limited.passes[:4] == [30, 15, 7, 3]
    assert small.fitting.limit == 3
    assert np.array_equal(guesses, ten_crop_guesses(own, files, map_name, batch_size=30))
    with pytest.raises(
        MemoryLimitError, match="one input of 64 x 64 pixels does not fit into the memory of cpu"
    ):
        ten_crop_guesses(replace(own, network=Limited(own.network, 0), fitting=Fitting()), files, map_name)
