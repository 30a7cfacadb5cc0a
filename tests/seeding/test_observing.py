from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from tests.example_localizers import Limited, tiny_localizer
from wsloc.errors import MemoryLimitError
from wsloc.fitting import Fitting
from wsloc.inputs.image_labels import ImageLabels
from wsloc.inputs.images import find_images
from wsloc.inputs.loading import load_batches
from wsloc.inputs.preprocessing import Preprocessing
from wsloc.localizer import Localizer
from wsloc.methods.rib import FineTuning
from wsloc.records import Failure
from wsloc.request import Request
from wsloc.seeding.observing import ImageMaps, observe_batch
from wsloc.seeding.request import SeedRequest, plan_seeds
from wsloc.views import Views

if TYPE_CHECKING:
    from pathlib import Path


def observe(localizer: Localizer, folder: Path, request: SeedRequest) -> list[ImageMaps | Failure]:
    (batch,) = load_batches(find_images([folder]), localizer.preprocessing, batch_size=16, workers=0)
    return observe_batch(localizer, batch, request, plan_seeds(localizer, request))


def seen(localizer: Localizer, folder: Path, request: SeedRequest) -> list[ImageMaps]:
    found = observe(localizer, folder, request)
    assert all(isinstance(item, ImageMaps) for item in found)
    return found  # type: ignore[return-value]  # just checked


@pytest.mark.parametrize("resize", ["squash", "keep"])
def test_they_are_the_maps_of_the_localizer(gap: Localizer, scenes: Path, resize: str) -> None:
    """Of given labels, several an image and not as many each, sorted whatever their order."""
    localizer = replace(gap, preprocessing=Preprocessing(image_size=48, resize=resize))
    labels = {"a/star.png": (4, 0), "a/tall.png": (1,), "b/fish.jpg": (5, 2, 3), "key.png": (3,)}
    found = seen(localizer, scenes, SeedRequest(ImageLabels(labels)))
    request = Request(classes=labels, map="cam")
    (records,) = localizer.localize_files(find_images([scenes]), request)
    for maps, record in zip(found, records, strict=True):
        assert not isinstance(record, Failure)
        assert maps.image == record.image
        assert maps.image_size == (record.height, record.width)
        assert list(maps.class_indices) == sorted(labels[maps.image])
        assert not maps.predicted
        order = np.argsort(record.class_indices)
        assert record.activation_maps is not None
        np.testing.assert_allclose(maps.maps, record.activation_maps[order], atol=1e-5)
        probability = {entry.class_index: entry.probability for entry in record.predictions}
        assert maps.probabilities == pytest.approx(
            [probability[index] for index in maps.class_indices], abs=1e-5
        )


def test_predicted_labels_single_label(gap: Localizer, scenes: Path) -> None:
    found = seen(gap, scenes, SeedRequest())
    (records,) = gap.localize_files(find_images([scenes]), Request(map="cam"))
    assert [maps.class_indices for maps in found] == [record.class_indices for record in records]  # type: ignore[union-attr]  # tests
    assert all(maps.predicted for maps in found)


def test_predicted_labels_multi_label(gap: Localizer, scenes: Path) -> None:
    """Those of probability 0.5 and more, the best one at least."""
    localizer = replace(gap, task="multi-label")
    found = seen(localizer, scenes, SeedRequest())
    for maps in found:
        image = next(file for file in find_images([scenes]) if file.image == maps.image)
        record = localizer.localize(image.path, classes=list(range(6)), map="cam")
        probability = {entry.class_index: entry.probability for entry in record.predictions}
        likely = {index for index, value in probability.items() if value >= 0.5}
        assert set(maps.class_indices) == (likely or {max(probability, key=probability.__getitem__)})
    counts = {len(maps.class_indices) for maps in found}
    assert len(counts) > 1, "the example shows no images of different numbers of labels"


def test_other_images_labels_do_not_reach_an_image_s_fine_tuning(gap: Localizer, scenes: Path) -> None:
    """RIB's maps are of all labels of an image at once, so they must be its own ones, whatever is beside it."""
    rib = FineTuning(steps=1, learning_rate=1e-3, scales=(1.0,), flip=False)
    localizer = replace(gap, task="multi-label", views=Views(fine_tuning=rib))
    request = SeedRequest(map="rib")
    together = seen(localizer, scenes, request)
    assert len({len(maps.class_indices) for maps in together}) > 1
    (batch,) = load_batches(find_images([scenes]), localizer.preprocessing, batch_size=16, workers=0)
    for maps, item in zip(together, batch, strict=True):
        (alone,) = observe_batch(localizer, [item], request, plan_seeds(localizer, request))
        assert isinstance(alone, ImageMaps)
        assert alone.class_indices == maps.class_indices
        assert alone.probabilities == pytest.approx(maps.probabilities, abs=1e-5)
        np.testing.assert_allclose(alone.maps, maps.maps, atol=1e-4)


def test_nothing_likely_leaves_the_best(scenes: Path) -> None:
    localizer = tiny_localizer(task="multi-label")
    with torch.no_grad():
        for name, parameter in localizer.network.named_parameters():
            if name.endswith("fc.bias"):
                parameter.copy_(torch.tensor([-50.0, -60, -50.5, -70]))
    assert all(len(maps.class_indices) == 1 for maps in seen(localizer, scenes, SeedRequest()))


def test_classes_that_all_images_have_and_the_best_of_them(gap: Localizer, scenes: Path) -> None:
    assert {maps.class_indices for maps in seen(gap, scenes, SeedRequest((5, 1)))} == {(1, 5)}
    assert {len(maps.class_indices) for maps in seen(gap, scenes, SeedRequest(5))} == {5}


def test_images_without_labels_fail_with_their_reason(gap: Localizer, scenes: Path) -> None:
    images = [file.image for file in find_images([scenes])]
    errors = {image: f"{image}: no label" for image in images[1:]}
    found = observe(gap, scenes, SeedRequest(ImageLabels({images[0]: (1,)}, errors)))
    assert isinstance(found[0], ImageMaps)
    assert found[1:] == [Failure(image, f"{image}: no label") for image in images[1:]]


def test_random_maps_come_with_their_mean(fickle: Localizer, scenes: Path) -> None:
    for maps in seen(fickle, scenes, SeedRequest((0, 1))):
        assert maps.mean is not None
        assert maps.mean.shape == maps.maps.shape == (2, 48, 48)
        assert (maps.mean <= maps.maps + 1e-6).all()
        assert maps.mean.max() < maps.maps.max()


def test_weights_that_give_nan_fail(scenes: Path) -> None:
    localizer = tiny_localizer()
    with torch.no_grad():
        next(iter(localizer.network.parameters())).fill_(torch.nan)
    found = observe(localizer, scenes, SeedRequest())
    assert all(isinstance(item, Failure) and "output is NaN" in item.error for item in found)


def test_a_batch_that_does_not_fit_is_divided(gap: Localizer, scenes: Path) -> None:
    labels = ImageLabels({"a/star.png": (4, 0), "a/tall.png": (1,), "b/fish.jpg": (5, 2, 3), "key.png": (3,)})
    whole = seen(gap, scenes, SeedRequest(labels))
    limited = replace(gap, network=Limited(gap.network, 2), fitting=Fitting())
    for one, other in zip(seen(limited, scenes, SeedRequest(labels)), whole, strict=True):
        assert (one.image, one.class_indices) == (other.image, other.class_indices)
        np.testing.assert_allclose(one.maps, other.maps, atol=1e-5)
    assert limited.fitting.limit == 2


def test_an_input_that_does_not_fit_is_said(
    gap: Localizer, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Localizer, "_observe", fill)
    with pytest.raises(MemoryLimitError, match="one input of 48 x 48 pixels does not fit into the memory"):
        observe(replace(gap, fitting=Fitting()), scenes, SeedRequest())
    assert observe_batch(gap, [Failure("a", "b")], SeedRequest(), plan_seeds(gap, SeedRequest())) == [
        Failure("a", "b")
    ]
