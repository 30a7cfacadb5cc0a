from __future__ import annotations

from pathlib import Path

from wsloc.outputs.boxes_layout import BOXES, kinds_of_boxes


def test_a_shard_leaves_what_is_made_of_all_records() -> None:
    whole = {"formats": "coco,jsonl,npz,voc", "overlays": True, "show_draws": 2, "shard": None}
    assert kinds_of_boxes(whole) == {"coco", "npz", "voc", "overlays", "draws"}
    assert kinds_of_boxes({**whole, "shard": "1/2"}) == {"npz", "overlays", "draws"}
    assert kinds_of_boxes({"formats": "jsonl", "overlays": False, "show_draws": 0, "shard": None}) == set()


def test_every_kind_has_a_place_of_its_own() -> None:
    places = [where(Path("out"), "a/b.jpg") for where in BOXES.of_an_image.values()]
    assert len(set(places)) == len(places)
    assert set(BOXES.pictures) <= set(BOXES.of_an_image)
