"""The whole curves that the reference WSOL evaluator counts on annotations of ImageNet and synthetic maps.

They stand outside the project: WSLOC_DATA names the folder that holds `wsol-parity`.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.reference import imagenet_literal, wsol_literal
from wsloc.metrics.imagenet import GuessTable, Truth, judge
from wsloc.metrics.max_box_acc import MaxBoxAcc
from wsloc.metrics.pixel_average_precision import PixelAveragePrecision, protocol_mask
from wsloc.records import Sample

if TYPE_CHECKING:
    from wsloc.metrics.max_box_acc import ContourRule

FOLDER = Path(os.environ.get("WSLOC_DATA") or "wsloc-data-is-not-set") / "wsol-parity"

pytestmark = pytest.mark.skipif(
    not (FOLDER / "synth.py").is_file(),
    reason="WSLOC_DATA does not name a folder with wsol-parity/synth.py and expected.json",
)


@pytest.fixture(scope="module")
def synth() -> Any:
    spec = importlib.util.spec_from_file_location("wsol_parity_synth", FOLDER / "synth.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def images(synth: Any) -> list[Any]:
    return list(synth.load_slice())


@pytest.mark.parametrize("variant", ["minmax", "raw"])
def test_every_count_of_every_curve(variant: str, synth: Any, images: list[Any]) -> None:
    expected = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
    accuracy = MaxBoxAcc(step=0.001, iou_thresholds=(0.3, 0.5, 0.7))
    for image, _, (width, height), boxes in images:
        values = synth.score_map(image, (width, height), boxes, variant)
        accuracy.update(values, np.add(boxes, (0, 0, 1, 1)), (height, width), image)
    assert accuracy.images == expected["images"] == 200
    runs = [run for run in expected["box"] if run["maps"] == variant]
    assert len(runs) == 2
    for run in runs:
        rule: ContourRule = "multi" if run["multi_contour"] else "single"
        for row, (iou, top) in enumerate(accuracy.best(rule).items()):
            name = f"{iou * 100:.0f}"
            assert accuracy.counts(rule)[row].tolist() == run["num_correct"][name]
            assert top.accuracy == run["max_box_acc"][name]
    single, multi = sorted(runs, key=lambda run: bool(run["multi_contour"]))
    assert accuracy.max_box_acc() == single["max_box_acc"]["50"]
    assert accuracy.max_box_acc_v2() == pytest.approx(np.mean(list(multi["max_box_acc"].values())))


def test_guesses_against_the_definition(synth: Any, images: list[Any]) -> None:
    cases, samples, table = [], [], GuessTable(len(images))
    for row, (image, label, (width, height), boxes) in enumerate(images):
        guesses = synth.guesses(image, label, (width, height), boxes)
        truth = tuple((label, box) for box in boxes)
        cases.append(imagenet_literal.Case((label,), truth, tuple(guesses)))
        opened = tuple((str(label), (x0, y0, x1 + 1, y1 + 1)) for x0, y0, x1, y1 in boxes)
        samples.append(Sample(image, None, (str(label),), (height, width), opened))
        names = [name for name, _ in guesses]
        table.put(row, names, [(x0, y0, x1 + 1, y1 + 1) for _, (x0, y0, x1, y1) in guesses])
    judgement = judge(table, Truth.of(samples, {str(index): index for index in range(1000)}))
    for top in (1, 5):
        assert judgement.wrong_class(top).tolist() == [
            imagenet_literal.class_is_wrong(case, top) for case in cases
        ]
        assert judgement.wrong_box(top).tolist() == [
            imagenet_literal.box_is_wrong(case, top) for case in cases
        ]
    assert 0 < judgement.wrong_box(5).mean() < judgement.wrong_box(1).mean() < 1


def test_masks_against_the_definition(synth: Any) -> None:
    precision, maps, masks = PixelAveragePrecision(0.01), [], []
    for number in range(10):
        objects, ignore, values = synth.mask_case(number)
        mask = protocol_mask(objects, ignore)
        precision.update(values, mask)
        maps.append(values)
        masks.append(mask)
    assert all((mask == 255).any() for mask in masks)
    expected = wsol_literal.pixel_average_precision(maps, masks, np.arange(0, 1, 0.01).tolist())
    assert precision.value() == pytest.approx(expected, rel=1e-12)
