"""The picture of a training: its lines are the figures, and it is a whole PNG or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from wsloc.errors import OutputError
from wsloc.outputs.curves import PANELS, save_training_curve

if TYPE_CHECKING:
    from pathlib import Path

HISTORY = [
    {"epoch": 0, "train_loss": 2.0, "train_error": 0.9, "validation_loss": 1.9, "validation_error": 0.8},
    {"epoch": 1, "train_loss": 1.0, "train_error": 0.5, "validation_loss": 1.5, "validation_error": 0.6},
    {"epoch": 2, "train_loss": 0.5, "train_error": 0.2, "validation_loss": 1.4, "validation_error": 0.5},
]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    found: list[Figure] = []
    real = Figure.savefig

    def savefig(self: Figure, *arguments: Any, **options: Any) -> None:
        found.append(self)
        real(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return found


def test_the_lines_are_the_figures(tmp_path: Path, drawn: list[Figure]) -> None:
    save_training_curve(HISTORY, tmp_path / "curve.png")
    (figure,) = drawn
    assert [axes.get_title() for axes in figure.axes] == list(PANELS)
    for axes, keys in zip(figure.axes, PANELS.values(), strict=True):
        assert [line.get_label() for line in axes.lines] == list(keys.values())
        for line, key in zip(axes.lines, keys, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
            np.testing.assert_array_equal(line.get_ydata(), [record[key] for record in HISTORY])
        assert len({line.get_color() for line in axes.lines}) == 2
        legend = axes.get_legend()
        assert legend is not None
        assert [text.get_text() for text in legend.get_texts()] == list(keys.values())
        assert axes.get_xlabel() == "epoch"
        bottom, top = axes.get_ylim()
        assert bottom == 0
        assert top > max(record[key] for record in HISTORY for key in keys)
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_without_validation_there_is_one_line_a_panel(tmp_path: Path, drawn: list[Figure]) -> None:
    history = [{key: value for key, value in record.items() if "validation" not in key} for record in HISTORY]
    save_training_curve(history, tmp_path / "curve.png")
    assert [len(axes.lines) for axes in drawn[0].axes] == [1, 1]


@pytest.mark.parametrize(
    "history",
    [HISTORY[:1], [{"epoch": 0, "train_loss": 0.0, "train_error": 0.0}], [{"epoch": 0}], []],
    ids=["one epoch", "all zero", "no figures", "no epochs"],
)
def test_little_is_drawn_without_complaint(
    tmp_path: Path, drawn: list[Figure], history: list[dict[str, float]]
) -> None:
    save_training_curve(history, tmp_path / "curve.png")
    assert all(float(tick).is_integer() for axes in drawn[0].axes for tick in axes.get_xticks())
    with Image.open(tmp_path / "curve.png") as picture:
        picture.load()
        assert picture.format == "PNG"


def test_it_is_the_same_picture_twice(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        save_training_curve(HISTORY, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"curve\.png"):
        save_training_curve(HISTORY, tmp_path / "file" / "curve.png")
