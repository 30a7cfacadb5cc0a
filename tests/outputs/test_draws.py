"""Single draws beside their aggregate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from wsloc.outputs.draws import draws_sheet
from wsloc.outputs.tiles import GAP, TILE
from wsloc.records import Localization, Prediction

MAPS = np.linspace(0, 1, 2 * 6 * 8, dtype=np.float32).reshape(2, 6, 8)


def record(seen: list[Localization]) -> Localization:
    def renderer(shown: Localization) -> Image.Image:
        seen.append(shown)
        return Image.new("RGB", (640, 480), (10 * len(seen), 0, 0))

    return Localization(
        image="a.jpg",
        width=640,
        height=480,
        map="stochastic",
        predictions=tuple(Prediction(index, "", "", 0.5, (0, 0, 9, 9), 1.0) for index in (4, 2, 4)),
        class_indices=(4, 2),
        activation_maps=MAPS,
        draws=np.stack([MAPS, MAPS / 2, MAPS * 0], axis=1),
        renderer=renderer,
    )


def test_a_row_a_class_the_aggregate_first() -> None:
    seen: list[Localization] = []
    sheet = draws_sheet(record(seen))
    height = TILE * 3 // 4
    assert sheet.size == (4 * TILE + 3 * GAP, 2 * height + GAP)
    assert [shown.class_indices for shown in seen] == [(4,)] * 4 + [(2,)] * 4
    assert [len(shown.predictions) for shown in seen] == [2, 0, 0, 0, 1, 0, 0, 0]
    shades = [
        sheet.getpixel((across * (TILE + GAP), down * (height + GAP)))
        for down in range(2)
        for across in range(4)
    ]
    assert shades == [(10 * number, 0, 0) for number in range(1, 9)]
    assert sheet.getpixel((TILE, 0)) == (255, 255, 255)
    for shown, scale in zip(seen[4:], (1, 1, 0.5, 0), strict=True):
        assert shown.activation_maps is not None
        np.testing.assert_array_equal(shown.activation_maps[0], MAPS[1] * np.float32(scale))


def test_without_draws_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"no draws are kept for a\.jpg"):
        draws_sheet(replace(record([]), draws=None))
