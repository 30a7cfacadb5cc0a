from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import wsloc
from tests.example_localizers import assert_close, maps_of, picture, tiny_localizer
from wsloc.errors import ImageError, UnsupportedError
from wsloc.inputs.images import find_images
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.localizer import MANY_CLASSES, Localizer
from wsloc.methods import MAPS, METHODS, MapKind
from wsloc.networks.network import Network
from wsloc.records import Classes, Failure
from wsloc.request import Request
from wsloc.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt


def shown(monkeypatch: pytest.MonkeyPatch, grid: list[list[float]], **kind: Any) -> None:
    """Have the map `cam` be the given one, for every class of every image."""
    cells = torch.tensor(grid)

    def fixed(_network: object, _observation: object, class_index: Tensor) -> Tensor:
        return cells.expand(*class_index.shape, *cells.shape)

    monkeypatch.setitem(MAPS, "cam", MapKind(fixed, **{"box_rule": "mass", "normalization": "none", **kind}))


def test_each_map_has_its_box_rule(monkeypatch: pytest.MonkeyPatch, gap: Localizer) -> None:
    """A flat half and a peak: the mass is in the half, the threshold leaves the peak alone."""
    grid = [[0.0] * 6 for _ in range(6)]
    grid[0] = [0.1] * 6
    grid[5][5] = 1.0
    shown(monkeypatch, grid)
    by_mass = gap.localize(picture(), mass=1.0).predictions[0]
    assert by_mass.box == (0.0, 0.0, 80.0, 60.0)
    shown(monkeypatch, grid, box_rule="threshold", normalization="max")
    by_threshold = gap.localize(picture(), map_threshold=0.2).predictions[0]
    assert by_threshold.box[0] > 60
    assert by_threshold.box[1] > 45
    assert gap.localize(picture(), box="mass", mass=1.0).predictions[0].box == by_mass.box
    assert gap.localize(picture(), map_threshold=0.01).predictions[0] != by_threshold
    for name, kind in MAPS.items():
        if name != "cam":
            assert kind.box_rule == ("mass" if name.startswith("entropy") else "threshold")


def test_several_boxes_a_class(monkeypatch: pytest.MonkeyPatch, gap: Localizer) -> None:
    grid = [[0.0] * 8 for _ in range(8)]
    grid[1][1], grid[6][6], grid[6][1] = 1.0, 0.8, 0.5
    for rule in ("mass", "threshold"):
        shown(monkeypatch, grid, box_rule=rule)
        records = [gap.localize(picture(), classes="top5", boxes_per_class=count) for count in (1, 2, 5)]
        counts = [len(record.predictions) for record in records]
        assert counts == [5, 10, 15]
        two = records[1].predictions
        assert [prediction.class_index for prediction in two] == [
            index for i in records[0].class_indices for index in (i, i)
        ]
        first, second = two[0], two[1]
        assert first.mass > second.mass > 0
        assert first.box[2] < 40 < second.box[0]  # upper left, then lower right


def test_improbable_predictions_are_left_out(ep: Localizer) -> None:
    everything = ep.localize(picture(), classes="top5").predictions
    limit = everything[2].probability
    assert ep.localize(picture(), classes="top5", min_probability=limit).predictions == everything[:3]
    none = ep.localize(picture(), classes="top1", min_probability=1.0)
    assert none.predictions == ()
    assert none.overlay().size[0] >= 80


def test_an_empty_map_is_the_whole_image(monkeypatch: pytest.MonkeyPatch, gap: Localizer) -> None:
    for rule in ("mass", "threshold"):
        for count in (1, 3):
            shown(monkeypatch, [[0.0, 0.0], [0.0, -1.0]], box_rule=rule)
            record = gap.localize(picture(), boxes_per_class=count)
            assert len(record.predictions) == 1
            assert record.predictions[0].box == (0.0, 0.0, 80.0, 60.0)
            assert record.predictions[0].mass == 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_map_that_is_not_finite_fails_the_image(
    monkeypatch: pytest.MonkeyPatch, gap: Localizer, scenes: Path, bad: float
) -> None:
    shown(monkeypatch, [[1.0, bad], [0.0, 0.0]])
    with pytest.raises(ImageError, match=r"star.png: the activation map has (NaN|infinite) values"):
        gap.localize(scenes / "a/star.png")
    (records,) = gap.localize_files(find_images([scenes]), Request())
    assert [type(record) for record in records] == [Failure] * 4


def test_a_network_that_is_not_finite_fails_the_image(gap: Localizer, scenes: Path) -> None:
    class Broken(Network):
        def head(self, feature_map: Tensor) -> Tensor:
            return super().head(feature_map) * torch.nan

    broken = replace(gap, network=Broken("small_resnet", gap.network.model, gap.network.family).eval())
    for name in ("cam", "gradcam"):
        with pytest.raises(ImageError, match=r"star.png: the network's output is NaN"):
            broken.localize(scenes / "a/star.png", map=name)


def test_normalizations(gap: Localizer) -> None:
    def cells(normalization: str | None) -> Any:
        return maps_of(gap.localize(picture(), map="cam", classes="moon", normalization=normalization))

    default, most, stretched, raw = (cells(name) for name in (None, "max", "minmax", "none"))
    assert np.array_equal(default, most)
    assert most.min() >= 0
    assert most.max() == pytest.approx(1, abs=0.05)  # its highest cell may lie between four pixels
    assert stretched.min() >= 0
    assert raw.min() < 0 < raw.max()
    assert raw.max() > 1.5
    near = np.corrcoef(stretched.ravel(), raw.ravel())[0, 1]
    assert near > 0.999
    entropy = maps_of(gap.localize(picture(), map="entropy", normalization="max"))
    plain = maps_of(gap.localize(picture(), map="entropy"))
    assert 0 <= plain.min() < plain.max() < entropy.max() <= 1


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 2000), turned=st.booleans(), seed=st.integers(0, 99))
def test_boxes_lie_inside_the_image(height: int, width: int, turned: bool, seed: int) -> None:
    """Any size, any map, both ways of resizing: x0 < x1 <= width, y0 < y1 <= height."""
    if turned:
        height, width = width, height
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for resize in ("squash", "keep"):
        localizer = replace(tiny_localizer(), preprocessing=Preprocessing(image_size=8, resize=resize))
        for name, count in (("entropy-class", 1), ("cam", 3), ("gradcam", 1)):
            record = localizer.localize(pixels, map=name, classes="top5", boxes_per_class=count)
            assert (record.height, record.width) == (height, width)
            assert record.predictions
            for prediction in record.predictions:
                x0, y0, x1, y1 = prediction.box
                assert 0 <= x0 < x1 <= width
                assert 0 <= y0 < y1 <= height
                assert 0 <= prediction.mass <= 1


@pytest.mark.parametrize("name", ["entropy-top5", "entropy"])
def test_a_shared_map_has_one_box_for_all_guesses(ep: Localizer, name: str) -> None:
    record = ep.localize(picture(), classes="top5", map=name)
    assert len(record.predictions) == 5
    assert len({prediction.box for prediction in record.predictions}) == 1
    assert len({prediction.mass for prediction in record.predictions}) == 1
    assert record.class_indices == ()
    assert maps_of(record).shape == (1, 48, 48)


@pytest.mark.parametrize("name", ["entropy-top5", "entropy"])
def test_a_shared_map_is_refused_for_named_classes(ep: Localizer, name: str) -> None:
    words = f"the map {name} carries no class: .* take entropy-class, cam or gradcam"
    with pytest.raises(UnsupportedError, match=words):
        ep.localize(picture(), classes="star", map=name)
    with pytest.raises(UnsupportedError, match=words):  # at once, before anything is read
        ep.localize_files([], Request(map=name, classes={"star.png": (0,)}))


def test_default_maps(make_checkpoint: Callable[..., Path], ep: Localizer, gap: Localizer) -> None:
    assert ep.default_map() == "entropy-class"
    assert gap.default_map() == "cam"
    assert gap.default_map(class_named=True) == "cam"
    names = tuple(map(str, range(MANY_CLASSES)))
    many = wsloc.load(make_checkpoint(classes=Classes(names, names)), device="cpu")
    assert many.default_map() == "entropy-top5"
    assert many.default_map(class_named=True) == "entropy-class"
    assert many.localize(picture()).map == "entropy-top5"
    assert many.localize(picture(), classes="7").map == "entropy-class"
    fewer = replace(many, classes=Classes(names[1:], names[1:]))
    assert fewer.default_map() == "entropy-class"
    assert replace(many, source="model").default_map() == "entropy-top5"
    unpooled = make_checkpoint("gap", backbone="squeezenet1_1", preprocessing=Preprocessing(image_size=64))
    assert wsloc.load(unpooled, device="cpu").localize(picture()).map == "gradcam"


def test_a_map_that_would_not_be_exact_is_refused(make_checkpoint: Callable[..., Path]) -> None:
    path = make_checkpoint("gap", backbone="squeezenet1_1", preprocessing=Preprocessing(image_size=64))
    for name in ("cam", "entropy-class", "entropy-top5", "entropy"):
        with pytest.raises(UnsupportedError, match=r"squeezenet1_1 .* use --map gradcam"):
            wsloc.load(path, device="cpu").localize_files([], Request(map=name))  # before any image is read


def test_ep_inference_leaves_a_gap_network_as_it_is(gap: Localizer, ep: Localizer) -> None:
    state = {key: value.clone() for key, value in gap.network.state_dict().items()}
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = gap.network(images)
    under_ep = gap.localize(picture(), map="entropy-class", classes="top5")
    assert under_ep.predictions == ep.localize(picture(), classes="top5").predictions  # the same weights
    assert under_ep.predictions != gap.localize(picture(), map="cam", classes="top5").predictions
    assert gap.network.pooling is None
    assert not gap.network.training
    assert all(torch.equal(value, state[key]) for key, value in gap.network.state_dict().items())
    with torch.no_grad():
        assert torch.equal(gap.network(images), logits)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.15), (torch.float16, 0.03)])
@pytest.mark.parametrize("name", [*MAPS])
def test_lower_precision_is_close(
    showing: Callable[[str], Localizer], name: str, dtype: torch.dtype, tolerance: float
) -> None:
    own = showing(name)
    exact, rough = (one.localize(picture(), map=name) for one in (own, replace(own, autocast=dtype)))
    assert maps_of(rough).dtype == np.float32
    assert not np.array_equal(maps_of(exact), maps_of(rough))
    np.testing.assert_allclose(maps_of(rough), maps_of(exact), atol=tolerance)


@pytest.mark.parametrize("name", [*MAPS])
def test_the_number_of_threads_does_not_matter(showing: Callable[[str], Localizer], name: str) -> None:
    own = showing(name)
    before, pictures = torch.get_num_threads(), [picture(seed) for seed in range(4)]
    try:
        torch.set_num_threads(1)
        one = own.localize(pictures, map=name, classes="top5")
        torch.set_num_threads(3)
        three = own.localize(pictures, map=name, classes="top5")
    finally:
        torch.set_num_threads(before)
    for left, right in zip(one, three, strict=True):
        assert_close(left, right)


def test_maps_of_branches_need_branches(gap: Localizer, make_checkpoint: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedError, match="of BEW layer 1, and the network has 0: train one"):
        gap.localize(picture(), map="entropy-bew1")
    one = wsloc.load(make_checkpoint("bew", options={"layers": 1}, weights=_one_branch()), device="cpu")
    assert maps_of(one.localize(picture(), map="entropy-bew1")).shape == (1, 48, 48)
    with pytest.raises(UnsupportedError, match="of BEW layer 2, and the network has 1"):
        one.localize(picture(), map="entropy-bew2")


def _one_branch() -> dict[str, torch.Tensor]:
    return METHODS["bew"].build("small_resnet", 6, {"layers": 1}).model.state_dict()


# Scales and mirror images


def mirrored(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, ::-1])


@pytest.mark.parametrize("name", ["entropy-class", "cam", "gradcam"])
def test_mirror_images_are_averaged(gap: Localizer, name: str) -> None:
    both = replace(gap, views=Views(flip=True))
    pixels = picture(size=(48, 48))  # the input's size: no resize, which would not be symmetric
    classes = [gap.localize(pixels).predictions[0].class_index]
    found = both.localize(pixels, map=name, classes=classes)
    other = both.localize(mirrored(pixels), map=name, classes=classes)
    np.testing.assert_allclose(maps_of(found), maps_of(other)[..., ::-1], atol=2e-5)
    plain = [gap.localize(one, map=name, classes=classes) for one in (pixels, mirrored(pixels))]
    mean = (maps_of(plain[0]) + maps_of(plain[1])[..., ::-1]) / 2
    expected = mean if name == "entropy-class" else mean / mean.max()
    np.testing.assert_allclose(maps_of(found), expected, atol=2e-5)
    assert found.predictions[0].probability == plain[0].predictions[0].probability


@pytest.mark.parametrize("scales", [(), (0.0,), (-1.0,), (float("nan"),), (17.0,)])
def test_scales_that_cannot_be_are_refused(gap_checkpoint: Path, scales: tuple[float, ...]) -> None:
    with pytest.raises(UnsupportedError, match="scales are factors"):
        wsloc.load(gap_checkpoint, scales=scales)
