"""The arguments of a training, checked and made whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.training.tiny_data import folder_per_class
from wsloc.errors import CheckpointError, TrainingError
from wsloc.methods import METHODS
from wsloc.records import Classes
from wsloc.training.arguments import all_options, at_least_two, fitting_samples, named_weights

if TYPE_CHECKING:
    from pathlib import Path


def test_options_are_the_given_ones_and_the_defaults_for_the_others() -> None:
    assert all_options("ep", {"detach_weights": True}, pretrained=False) == {
        **METHODS["ep"].DEFAULTS,
        "detach_weights": True,
    }
    assert all_options("ep", {}, pretrained=True)["ramp"] == 0.3
    assert all_options("ep", {"ramp": 0.1}, pretrained=True)["ramp"] == 0.1
    with pytest.raises(TrainingError, match="ep has no option 'layers'"):
        all_options("ep", {"layers": 2}, pretrained=False)


def test_weights_are_named_by_their_content(tmp_path: Path) -> None:
    one, other = tmp_path / "a.pt", tmp_path / "other" / "a.pt"
    other.parent.mkdir()
    one.write_bytes(b"weights")
    other.write_bytes(b"weights")
    assert named_weights(one) == named_weights(other)
    other.write_bytes(b"others")
    assert named_weights(one) != named_weights(other)
    assert named_weights("DEFAULT") == "DEFAULT"
    assert named_weights(None) is None
    with pytest.raises(CheckpointError, match="not there"):
        named_weights(tmp_path / "none.pt")


def test_one_class_is_too_few(tmp_path: Path) -> None:
    two = Classes(("a", "b"), ("a", "b"))
    assert at_least_two(two, tmp_path) is two
    with pytest.raises(TrainingError, match=r"only one class \(a\)"):
        at_least_two(Classes(("a",), ("a",)), tmp_path)


def test_samples_must_be_of_the_classes(tmp_path: Path) -> None:
    data = folder_per_class(tmp_path, 6)
    labels = sorted(path.name for path in data.iterdir())
    some = Classes(tuple(labels[:2]), tuple(labels[:2]))
    assert len(fitting_samples(data, Classes(tuple(labels), tuple(labels)), only=False)) == 6
    assert len(fitting_samples(data, some, only=True)) == 4
    with pytest.raises(TrainingError, match=f"{labels[2]} are not among the training classes"):
        fitting_samples(data, some, only=False)
    with pytest.raises(TrainingError, match="none of its images shows"):
        fitting_samples(data, Classes(("x", "y"), ("x", "y")), only=True)
