from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wsloc.records import Failure, ImageSeeds
from wsloc.regions.frames import maps_to_image
from wsloc.regions.seed_rules import parse_background, parse_foreground
from wsloc.regions.seeds import make_seeds, stochastic_seeds
from wsloc.seeding.making import SeedMaker
from wsloc.seeding.observing import ImageMaps
from wsloc.seeding.request import SeedPlan

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MAPS = np.random.default_rng(0).random((2, 24, 24), np.float32)
MEAN = MAPS[::-1] * np.float32(0.5)


def found(mean: object = None, maps: object = MAPS) -> ImageMaps:
    return ImageMaps("a/b.jpg", (30, 50), None, (3, 8), (0.9, 0.4), maps, mean, predicted=True)  # type: ignore[arg-type]  # tests


def plan(foreground: str, background: str = "constant:0.2") -> SeedPlan:
    return SeedPlan("cam", parse_foreground(foreground), parse_background(background))


def made(maker: SeedMaker, maps: ImageMaps) -> ImageSeeds:
    seeds = maker.make(maps)
    assert isinstance(seeds, ImageSeeds)
    return seeds


def test_seeds_are_made_at_the_images_own_size() -> None:
    seeds = made(SeedMaker(plan("max:0.6", "confidence:0.7,0.3")), found())
    expected = make_seeds(
        maps_to_image(MAPS, (30, 50)), [1, 2], foreground="max:0.6", background="confidence:0.7,0.3"
    )
    assert (seeds.seed_mask == expected).all()
    assert seeds.image_size == (30, 50)
    assert set(np.unique(seeds.seed_mask)) == {0, 1, 2, 255}
    assert (seeds.image, seeds.class_indices, seeds.probabilities) == ("a/b.jpg", (3, 8), (0.9, 0.4))
    assert (seeds.map, seeds.predicted) == ("cam", True)
    assert seeds.activation_maps is MAPS


def test_ficklenets_rule_takes_the_mean_upsampled_too() -> None:
    seeds = made(SeedMaker(plan("stochastic:0.35", "none")), found(MEAN))
    expected = stochastic_seeds(maps_to_image(MAPS, (30, 50)), maps_to_image(MEAN, (30, 50)), [1, 2])
    assert (seeds.seed_mask == expected).all()


def test_saliency_is_that_of_the_image(tmp_path: Path) -> None:
    salient = np.ones((30, 50))
    salient[:10] = 0
    np.save(tmp_path / "b.npy", salient)
    maker = SeedMaker(plan("max:0", "saliency:x:0.06"), {"a/b.jpg": tmp_path / "b.npy"})
    seeds = made(maker, found())
    assert (seeds.seed_mask[:10] == 255).all()  # both claim it
    assert np.isin(seeds.seed_mask[10:], [1, 2]).all()


def test_what_fails_is_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = SeedMaker(plan("max:0.2", "saliency:x:0.06"), {})
    assert maker.make(found()) == Failure(
        "a/b.jpg", "a/b.jpg: has no saliency map: one of its name, png or npy, is wanted in the folder"
    )
    np.save(tmp_path / "b.npy", np.ones((3, 5)))
    maker = SeedMaker(plan("max:0.2", "saliency:x:0.06"), {"a/b.jpg": tmp_path / "b.npy"})
    failure = maker.make(found())
    assert isinstance(failure, Failure)
    assert failure.error.endswith("b.npy: this saliency map is of 5 x 3 pixels, its image of 50 x 30")
    maker = SeedMaker(plan("max:0.2"))
    assert maker.make(Failure("x", "y")) == Failure("x", "y")
    assert maker.make(found(maps=MAPS * np.nan)) == Failure("a/b.jpg", "a/b.jpg: a map holds NaN or infinity")

    def fill(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("wsloc.seeding.making.maps_to_image", fill)
    failure = maker.make(found())
    assert isinstance(failure, Failure)
    assert "do not fit into memory" in failure.error


def test_a_crf_sees_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def smooth(
        mask: npt.NDArray[np.uint8], picture: npt.NDArray[np.uint8], classes: int
    ) -> npt.NDArray[np.uint8]:
        asked.append((mask.shape, picture.shape, classes))
        return mask * 0

    monkeypatch.setattr("wsloc.seeding.making.smoothed_seeds", smooth)
    maker = SeedMaker(replace(plan("max:0.2"), crf=True))
    seeds = made(maker, replace(found(), picture=np.zeros((15, 25, 3), np.uint8)))
    assert not seeds.seed_mask.any()
    assert asked == [((30, 50), (15, 25, 3), 2)]
