from __future__ import annotations

import pytest

from wsloc.cli import map_options
from wsloc.errors import UsageError
from wsloc.methods import LAYERS, MAPS
from wsloc.request import BOX_RULES


def test_the_choices_are_those_of_the_library() -> None:
    """They are spelled twice, so that `--help` need not load torch."""
    assert [name.value for name in map_options.MapName] == list(MAPS)
    assert [rule.value for rule in map_options.BoxRule] == list(BOX_RULES)
    assert [layer.value for layer in map_options.LayerName] == list(LAYERS)


def test_a_layer_goes_with_entropy() -> None:
    entropy, cam = map_options.MapName.entropy, map_options.MapName.cam
    assert map_options.layer_map(None, None) is None
    assert map_options.layer_map(cam, None) == "cam"
    assert [map_options.layer_map(entropy, layer) for layer in map_options.LayerName] == [*LAYERS.values()]
    for other in (None, cam):
        with pytest.raises(UsageError, match="--layer goes with --map entropy"):
            map_options.layer_map(other, map_options.LayerName.bew1)


def test_scales_are_numbers() -> None:
    assert map_options.scale_list("1,1.5") == (1.0, 1.5)
    for text in ("", "1,", "big"):
        with pytest.raises(UsageError, match="--scales is a list of numbers"):
            map_options.scale_list(text)


def test_classes_are_parted_by_commas() -> None:
    assert map_options.listed_classes(None) == ()
    assert map_options.listed_classes(" cat, potted plant,cat,") == ("cat", "potted plant")
    with pytest.raises(UsageError, match="--classes ' ,' names no class"):
        map_options.listed_classes(" ,")
