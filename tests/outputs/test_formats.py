import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wsloc.errors import OutputError
from wsloc.outputs.formats import CHECKS, FORMATS, write_formats
from wsloc.outputs.predictions import Records, record_line, write_predictions
from wsloc.records import Classes, Localization

FIRST_FILE = {"csv": "predictions.csv", "coco": "coco.json", "voc": "voc/a/b.xml", "yolo": "yolo/a/b.txt"}


def test_every_format_is_known() -> None:
    assert set(FORMATS) == set(FIRST_FILE)
    assert set(CHECKS) <= set(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_a_second_run_writes_the_same_bytes(
    name: str, records: Records, classes: Classes, tmp_path: Path
) -> None:
    FORMATS[name](records, classes, tmp_path)
    first = (tmp_path / FIRST_FILE[name]).read_bytes()
    FORMATS[name](records, classes, tmp_path)
    assert (tmp_path / FIRST_FILE[name]).read_bytes() == first
    assert not list(tmp_path.rglob("*.partial*"))


@pytest.mark.parametrize("name", FORMATS)
def test_nan_is_refused(name: str, record: Localization, classes: Classes, tmp_path: Path) -> None:
    bad = replace(record, predictions=(replace(record.predictions[0], probability=float("nan")),))
    with pytest.raises(OutputError, match=r"a/b\.jpg"):
        FORMATS[name](lambda: iter([bad]), classes, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", CHECKS)
def test_clashes_are_told_before_a_run(name: str, tmp_path: Path) -> None:
    CHECKS[name](lambda: ["x.jpg", "a/x.jpg"], tmp_path)
    with pytest.raises(OutputError, match=r"x\.jpg and x\.png"):
        CHECKS[name](lambda: ["x.jpg", "x.png"], tmp_path)


@pytest.mark.parametrize("name", ["csv", "coco"])
def test_memory_does_not_grow_with_the_images(
    name: str, record: Localization, classes: Classes, tmp_path: Path
) -> None:
    def peak(images: int) -> int:
        def records() -> Iterator[Localization]:
            return (replace(record, image=f"{number}.jpg") for number in range(images))

        tracemalloc.start()
        try:
            FORMATS[name](records, classes, tmp_path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded once
    assert peak(2000) < peak(20) + 50_000  # 2,000 records take far more than 50 kB


def test_those_asked_for_are_made_of_the_predictions(
    records: Records, classes: Classes, tmp_path: Path
) -> None:
    predictions = write_predictions(tmp_path, map(record_line, records()))
    write_formats(("jsonl", "coco", "csv", "npz"), predictions, classes)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.jsonl", "coco.json", "predictions.csv"}
    FORMATS["csv"](records, classes, tmp_path / "directly")
    assert (tmp_path / "predictions.csv").read_bytes() == (tmp_path / "directly/predictions.csv").read_bytes()
