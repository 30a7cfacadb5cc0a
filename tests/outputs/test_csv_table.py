import csv
import os
from dataclasses import replace
from pathlib import Path

import pytest

from wsloc.errors import OutputError
from wsloc.outputs import csv_table
from wsloc.outputs.predictions import Records
from wsloc.records import Classes, Localization


def test_a_row_a_prediction(records: Records, classes: Classes, tmp_path: Path) -> None:
    csv_table.write(records, classes, tmp_path)
    lines = (tmp_path / "predictions.csv").read_bytes().decode().split("\n")
    assert lines == [
        "image,rank,class_index,class_id,class_name,probability,x0,y0,x1,y1,mass",
        "a/b.jpg,1,1,n01443537,goldfish,0.93,12.0,3.5,240.25,199.0,0.981",
        "a/b.jpg,2,3,n03126707,crane,0.1,0.0,0.0,500.0,375.0,0.0",
        f"c.jpg,1,0,n01440764,tench,{1 / 3},6.2,8.5,7.0,9.0,0.98",
        "",
    ]


def test_names_with_commas_quotes_and_odd_bytes_survive(
    record: Localization, classes: Classes, tmp_path: Path
) -> None:
    prediction = replace(record.predictions[0], class_name='fish, "gold"\nü')
    odd = replace(record, image=os.fsdecode(b"caf\xe9, 1.jpg"), predictions=(prediction,))
    csv_table.write(lambda: iter([odd]), classes, tmp_path)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["class_name"] == 'fish, "gold"\nü'
    assert row["image"] == "caf\\udce9, 1.jpg"


def test_a_table_is_whole_or_not_there(record: Localization, classes: Classes, tmp_path: Path) -> None:
    bad = replace(record, predictions=(replace(record.predictions[0], mass=float("nan")),))
    with pytest.raises(OutputError):
        csv_table.write(lambda: iter([record, bad]), classes, tmp_path)
    assert list(tmp_path.iterdir()) == []
