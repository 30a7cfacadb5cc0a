import csv
import os
from pathlib import Path

import numpy as np
import pytest

from wsloc.errors import OutputError
from wsloc.outputs.images_csv import ImageRow, images_csv


def lines(folder: Path) -> list[str]:
    return (folder / "images.csv").read_bytes().decode().split("\n")


def test_a_row_an_image(tmp_path: Path) -> None:
    with images_csv(tmp_path / "new", ["iou", "top1_correct"]) as write:
        write(ImageRow("a/b.jpg", "n01443537", "goldfish", [{"iou": 0.75, "top1_correct": True}]))
        write(ImageRow("c.jpg", "n01440764", "tench", [{"top1_correct": False}]))
        write(ImageRow("bad.jpg", "n01440764", "tench", error="is truncated"))
    assert lines(tmp_path / "new") == [
        "image,class_id,class_name,error,iou,top1_correct",
        "a/b.jpg,n01443537,goldfish,,0.75,1",
        "c.jpg,n01440764,tench,,,0",
        "bad.jpg,n01440764,tench,is truncated,,",
        "",
    ]


def test_several_runs_have_columns_of_their_own(tmp_path: Path) -> None:
    with images_csv(tmp_path, ["iou", "right"], ["cam, threshold 0.2", "ep"]) as write:
        write(ImageRow("a.jpg", "n1", "tench", [{"iou": 0.5}, {"right": 1, "iou": None}]))
        write(ImageRow("b.jpg", "n1", "tench", error="gone"))
    with (tmp_path / "images.csv").open(newline="") as stream:
        header, first, second = csv.reader(stream)
    assert header[4:] == ["iou [cam, threshold 0.2]", "right [cam, threshold 0.2]", "iou [ep]", "right [ep]"]
    assert first[4:] == ["0.5", "", "", "1"]
    assert second[3:] == ["gone", "", "", "", ""]


def test_numpy_values_are_written_as_pythons(tmp_path: Path) -> None:
    with images_csv(tmp_path, ["iou", "right", "boxes"]) as write:
        write(
            ImageRow(
                "a", "n1", "t", [{"iou": np.float64(0.25), "right": np.bool_(True), "boxes": np.int64(2)}]
            )
        )
    assert lines(tmp_path)[1] == "a,n1,t,,0.25,1,2"


def test_names_with_commas_quotes_and_odd_bytes_survive(tmp_path: Path) -> None:
    with images_csv(tmp_path, []) as write:
        write(ImageRow(os.fsdecode(b"caf\xe9, 1.jpg"), "n1", 'fish, "gold"\nü'))
    with (tmp_path / "images.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["image"], row["class_name"]) == ("caf\\udce9, 1.jpg", 'fish, "gold"\nü')


@pytest.mark.parametrize("bad", [float("nan"), np.float32("inf")])
def test_a_table_is_whole_or_not_there(tmp_path: Path, bad: float) -> None:
    def write_two() -> None:
        with images_csv(tmp_path, ["iou"]) as write:
            write(ImageRow("a.jpg", "n1", "tench", [{"iou": 0.5}]))
            write(ImageRow("b.jpg", "n1", "tench", [{"iou": bad}]))

    with pytest.raises(OutputError, match=r"b\.jpg: NaN or infinity"):
        write_two()
    assert list(tmp_path.iterdir()) == []


def test_figures_without_a_column_and_runs_too_many_are_refused(tmp_path: Path) -> None:
    with images_csv(tmp_path, ["iou"]) as write:
        with pytest.raises(ValueError, match=r"a\.jpg: no column for right"):
            write(ImageRow("a.jpg", "n1", "tench", [{"right": True}]))
        with pytest.raises(ValueError, match="figures of 2 runs, expected 1"):
            write(ImageRow("a.jpg", "n1", "tench", [{}, {}]))
    assert lines(tmp_path)[1:] == [""]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match=r"images\.csv"), images_csv(tmp_path / "taken", ["iou"]):
        pass
