from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wsloc.errors import OutputError
from wsloc.outputs import yolo
from wsloc.outputs.predictions import Records
from wsloc.records import Classes, Localization


def test_boxes_come_back(records: Records, classes: Classes, tmp_path: Path) -> None:
    yolo.write(records, classes, tmp_path)
    seen = 0
    for record in records():
        path = (tmp_path / "yolo" / record.image).with_suffix(".txt")
        assert path.exists() == isinstance(record, Localization)
        if not isinstance(record, Localization):
            continue
        lines = path.read_text().splitlines()
        assert len(lines) == len(record.predictions)
        for line, prediction in zip(lines, record.predictions, strict=True):
            index, *numbers = line.split(" ")
            assert int(index) == prediction.class_index
            cx, cy, w, h = map(float, numbers)
            assert all(0 <= value <= 1 for value in (cx, cy, w, h))
            box = np.array([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
            size = [record.width, record.height] * 2
            np.testing.assert_allclose(box * size, prediction.box, atol=1e-5)
            seen += 1
    assert seen == 3


def test_classes_are_listed_in_their_order(records: Records, classes: Classes, tmp_path: Path) -> None:
    yolo.write(records, classes, tmp_path)
    lines = (tmp_path / "yolo/classes.txt").read_text().splitlines()
    assert lines == ["tench", "goldfish", "crane (n02012849)", "crane (n03126707)"]


@pytest.mark.parametrize("image", ["a/b.png", "classes.jpg"])
def test_one_file_for_two_is_refused(
    image: str, record: Localization, classes: Classes, tmp_path: Path
) -> None:
    both = [record, replace(record, image=image)]
    with pytest.raises(OutputError, match=image):
        yolo.write(lambda: iter(both), classes, tmp_path)
    assert list(tmp_path.iterdir()) == []
