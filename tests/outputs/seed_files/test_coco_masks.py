from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from tests.outputs.seed_files.examples import PLAIN, VOC, lines, many
from wsloc.outputs.seed_files.coco_masks import write_coco

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.outputs.seed_files.numbering import Numbering


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools' own
@pytest.mark.parametrize("numbering", [PLAIN, VOC])
def test_pycocotools_decodes_the_seeds(
    numbering: Numbering, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(lambda: iter(lines(numbering)), numbering, tmp_path)
    coco = COCO(str(tmp_path / "coco.json"))
    assert capsys.readouterr().out  # it talks
    assert sorted(coco.getCatIds()) == sorted(numbering.values)
    assert [coco.cats[value]["name"] for value in numbering.values] == list(numbering.classes.names)
    for number, own in enumerate(many(), start=1):
        entry = coco.imgs[number]
        assert (entry["file_name"], (entry["height"], entry["width"])) == (own.image, own.image_size)
        expected = numbering.numbered(own)
        found = np.zeros_like(expected)
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=number)):
            mask = coco.annToMask(annotation)
            assert annotation["area"] == mask.sum() > 0
            rows, columns = np.nonzero(mask)
            assert annotation["bbox"] == [
                columns.min(),
                rows.min(),
                columns.max() - columns.min() + 1,
                rows.max() - rows.min() + 1,
            ]
            assert not found[mask == 1].any()
            found[mask == 1] = annotation["category_id"]
        if "ignore" in entry:
            found[coco_mask.decode(entry["ignore"]) == 1] = 255
        assert (found == expected).all()


def test_it_is_plain_json_with_counts_from_one(tmp_path: Path) -> None:
    write_coco(lambda: iter(lines()), PLAIN, tmp_path)
    content = json.loads((tmp_path / "coco.json").read_text())
    assert [entry["id"] for entry in content["images"]] == [1, 2, 3]
    # Both labels of the first image, none of the second, one of the third, whose other label has no pixel.
    assert [entry["image_id"] for entry in content["annotations"]] == [1, 1, 3]
    assert [entry["id"] for entry in content["annotations"]] == [1, 2, 3]
    assert [entry["category_id"] for entry in content["annotations"]] == [1, 2, 2]
    assert content["annotations"][0]["score"] == 0.9
