"""Strips of overlays of a network as it learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import Image

from tests.training.tiny_data import folder_per_class
from wsloc.inputs.annotations.formats import classes_of, read_annotations
from wsloc.networks.tasks import SINGLE_LABEL
from wsloc.training.epochs import Learner
from wsloc.training.records import Recipe
from wsloc.training.strips import save_strip

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.records import Sample


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_per_class(tmp_path_factory.mktemp("data") / "scenes", 2)


def learner(data: Path, samples: list[Sample], options: dict[str, Any], ema: float = 0.0) -> Learner:
    return Learner(
        "gain",
        Recipe(epochs=1, batch_size=4, image_size=32, ema=ema),
        classes=classes_of(samples, data),
        task=SINGLE_LABEL,
        device=torch.device("cpu"),
        options=options,
    )


@pytest.mark.parametrize("options", [{}, {"layer": "layer2"}], ids=str)
def test_a_strip_shows_every_image_and_changes_nothing(
    data: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    samples = read_annotations(data)
    one = learner(data, samples, options)
    one.network.train()
    state = {name: value.clone() for name, value in one.network.state_dict().items()}
    random = torch.get_rng_state()
    path = tmp_path / "deep" / "strip.jpg"
    save_strip(one, samples[:3], path)
    with Image.open(path) as strip:
        assert strip.width >= 3 * 100
        assert strip.width > 2 * strip.height
    assert one.network.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())
    assert not any(module._forward_hooks for module in one.network.modules())


def test_it_is_drawn_by_the_averaged_weights(data: Path, tmp_path: Path) -> None:
    samples = read_annotations(data)
    one = learner(data, samples, {}, ema=0.9)
    drawn = []
    for change in (False, True):
        if change:  # the network learns on, its average stays
            with torch.no_grad():
                torch.nn.init.normal_(one.network.linear()[0])
        save_strip(one, samples[:2], tmp_path / f"{change}.jpg")
        drawn.append((tmp_path / f"{change}.jpg").read_bytes())
    assert drawn[0] == drawn[1]
