from __future__ import annotations

import ast
import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsloc import records
from wsloc.records import Classes, Failure, ImageFile, Localization, Prediction, Sample

ALL = [kind for kind in vars(records).values() if inspect.isclass(kind) and is_dataclass(kind)]
PREDICTION = Prediction(1, "n01", "star", 0.5, (0.0, 1.0, 2.0, 3.0), 0.98)
RECORD = Localization("a/b.jpg", 4, 6, "cam", (PREDICTION,), (1,), np.ones((1, 2, 2), np.float32))


@pytest.mark.parametrize("kind", ALL)
def test_every_field_is_described(kind: type) -> None:
    described = {line.strip().split(":")[0] for line in (kind.__doc__ or "").splitlines() if ": " in line}
    names = {field.name for field in fields(kind)}
    assert names
    assert names <= described


@pytest.mark.parametrize(
    "record", [PREDICTION, RECORD, ImageFile("a", Path("a")), Sample("a", None, ("b",)), Failure("a", "b")]
)
def test_records_do_not_change(record: object) -> None:
    with pytest.raises((FrozenInstanceError, TypeError)):
        record.image = "other"  # type: ignore[attr-defined]  # what is tested
    assert not hasattr(record, "__dict__")


def test_classes_have_a_length() -> None:
    assert len(Classes(("n01", "n02"), ("star", "fish"))) == 2


def test_records_are_compared_without_their_arrays() -> None:
    assert Localization("a/b.jpg", 4, 6, "cam", (PREDICTION,), (1,)) == RECORD
    assert Localization("a/c.jpg", 4, 6, "cam", (PREDICTION,), (1,)) != RECORD
    assert "array" not in repr(RECORD)


def test_overlays_come_from_the_renderer() -> None:
    def draw(record: Localization) -> Image.Image:
        return Image.new("RGB", (record.width, record.height), "red")

    drawn = Localization("a.jpg", 4, 6, "cam", (), renderer=draw)
    assert drawn.overlay().size == (4, 6)
    content = drawn._repr_png_()
    assert content is not None
    assert content.startswith(b"\x89PNG")


def test_without_a_picture_there_is_no_overlay() -> None:
    with pytest.raises(ValueError, match=r"no picture is kept for a/b\.jpg: take the record from Localizer"):
        RECORD.overlay()
    assert RECORD._repr_png_() is None


def test_records_need_neither_torch_nor_numpy_at_run_time() -> None:
    """Workers and report writers import them: they must be light."""
    tree = ast.parse(inspect.getsource(records))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {getattr(node, "module", None) for node in top} == {"__future__", "dataclasses", "typing"}
