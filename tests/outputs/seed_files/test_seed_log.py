from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.outputs.seed_files.examples import PLAIN, VOC, many, seeds
from wsloc.errors import DataError
from wsloc.outputs.predictions import json_line
from wsloc.outputs.seed_files.formats import seed_path
from wsloc.outputs.seed_files.seed_log import file_name, line_values, lines_of, read_seed_log, seed_line
from wsloc.records import Failure

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *values: object) -> Path:
    path.write_bytes(
        b"".join(json_line(value) if isinstance(value, dict) else str(value).encode() for value in values)
    )
    return path


def test_a_line_holds_the_seeds_whole(tmp_path: Path) -> None:
    for found in many():
        line = seed_line(found, VOC)
        assert (line.seed_mask() == VOC.numbered(found)).all()
        (again,) = read_seed_log(write(tmp_path / "log", line_values(line)))
        assert again == line


def test_what_is_counted() -> None:
    line = seed_line(seeds(predicted=True), PLAIN)
    assert [(area.value, area.pixels) for area in line.classes] == [(1, 2), (3, 1)]
    assert (line.background.pixels, line.ignore.pixels) == (2, 1)
    assert (line.image_size, line.probabilities) == ((2, 3), (0.9, 0.4))
    values = line_values(line)
    assert values["labels"] == "predicted"
    assert (values["width"], values["height"]) == (3, 2)


def test_numbers_above_a_byte_are_kept() -> None:
    from wsloc.outputs.seed_files.numbering import Numbering
    from wsloc.records import Classes

    ids = tuple(map(str, range(1000)))
    line = seed_line(seeds(class_indices=(1, 998)), Numbering.of(Classes(ids, ids)))
    assert line.seed_mask().tolist() == [[0, 2, 255], [999, 2, 0]]


def test_failures_stand_there_and_are_passed_over(tmp_path: Path) -> None:
    lines = (seed_line(seeds(), PLAIN), Failure("b.jpg", "is empty"), seed_line(seeds(image="c.jpg"), PLAIN))
    path = write(tmp_path / "log", *(line_values(line) for line in lines))
    assert list(read_seed_log(path)) == list(lines)
    assert [line.image for line in lines_of(path)()] == ["a/b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    "image", ["a/b.jpg", "/abs/x.y.png", "../up.jpg", "no-extension", "x" * 300 + ".jpg"]
)
def test_the_name_is_that_of_its_files(image: str, tmp_path: Path) -> None:
    assert tmp_path / "png" / f"{file_name(image)}.png" == seed_path(tmp_path, "png", image)


def test_flaws_are_named(tmp_path: Path) -> None:
    good = line_values(seed_line(seeds(), PLAIN))
    odd: list[dict[str, object]] = [
        {"image": "a"},
        {**good, "classes": 3},
        {**good, "width": 10**400},
        {**good, "height": 0},
        {**good, "height": math.inf},
        {**good, "ignore": {"value": 10**30, "pixels": 1, "counts": "0"}},
    ]
    for bad in ("{\n", "[1]\n", "[" * 100_000 + "\n", *(json.dumps(values) + "\n" for values in odd)):
        path = write(tmp_path / "log", good, bad)
        with pytest.raises(DataError, match="log:2: is no line that `wsloc seeds` wrote"):
            list(read_seed_log(path))
    with pytest.raises(DataError, match=r"cannot read .*none: No such file"):
        list(read_seed_log(tmp_path / "none"))


def test_a_damaged_code_is_named() -> None:
    line = seed_line(seeds(), PLAIN)
    torn = replace(line, background=replace(line.background, counts="0"))
    with pytest.raises(
        DataError, match=r"a/b\.jpg: its code in the log is no run-length code of 3 x 2 pixels"
    ):
        torn.seed_mask()


def test_masks_are_exact_at_real_sizes() -> None:
    mask = np.array([0, 1, 2, 255], np.uint8)[np.random.default_rng(3).integers(0, 4, (375, 500))]
    assert (seed_line(seeds(mask), PLAIN).seed_mask() == PLAIN.numbered(seeds(mask))).all()
