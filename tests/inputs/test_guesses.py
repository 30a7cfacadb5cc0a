"""Guesses of any system are read from five formats, found by looking; what is malformed names file and line."""

from __future__ import annotations

import csv
import io
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import DataError
from wsloc.inputs.guesses import Guesses, read_guesses
from wsloc.outputs import csv_table
from wsloc.outputs.predictions import read_predictions, record_line, write_predictions
from wsloc.records import Classes, Failure, Localization, Prediction

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = Classes(("n01440764", "n01443537"), ("tench", "goldfish, gold"))
DOG, CAT = "n02119789", "n02100735"  # the kit's first two
SYNSETS = [DOG, CAT, "n02096294"]
ORDER = ["val_1", "val_2"]


def written(folder: Path, text: str, name: str = "guesses") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def localization(image: str = "a/b, c.jpg", map_name: str = "cam") -> Localization:
    boxes = ((0.0, 1.5, 20.25, 30.0), (3.0, 4.0, 5.0, 6.0), (0.0, 0.0, 40.0, 30.0))
    indices = (1, 1, 0)
    return Localization(
        image,
        40,
        30,
        map_name,
        tuple(
            Prediction(index, CLASSES.ids[index], CLASSES.names[index], 0.5, box, 0.9)
            for index, box in zip(indices, boxes, strict=True)
        ),
    )


def own_jsonl(folder: Path, *records: Localization | Failure) -> Path:
    folder.mkdir(exist_ok=True)
    return write_predictions(folder, map(record_line, records))


LABELS = ("n01443537", "n01443537", "n01440764")
INDICES, NAMES = (1, 1, 0), ("goldfish, gold", "goldfish, gold", "tench")
BOXES = ((0.0, 1.5, 20.25, 30.0), (3.0, 4.0, 5.0, 6.0), (0.0, 0.0, 40.0, 30.0))


def test_own_jsonl(tmp_path: Path) -> None:
    empty = Localization("none.jpg", 4, 3, "entropy", ())
    path = own_jsonl(
        tmp_path,
        localization(),
        localization("ü.jpg", "entropy-top5"),
        localization("e.jpg", "entropy"),
        localization("c.jpg", "entropy-class"),
        Failure("bad.jpg", "is empty"),
        empty,
    )
    assert list(read_guesses(path)) == [
        Guesses("a/b, c.jpg", LABELS, BOXES, None, None, (30, 40), INDICES, NAMES),
        Guesses("ü.jpg", LABELS, BOXES, BOXES[0], None, (30, 40), INDICES, NAMES),
        Guesses("e.jpg", LABELS, BOXES, BOXES[0], None, (30, 40), INDICES, NAMES),
        Guesses("c.jpg", LABELS, BOXES, None, None, (30, 40), INDICES, NAMES),
        Guesses("bad.jpg", (), (), None, "is empty"),
        Guesses("none.jpg", (), (), None, image_size=(3, 4)),
    ]


def test_each_guess_knows_its_line(tmp_path: Path) -> None:
    path = own_jsonl(tmp_path, localization(), Failure("bad.jpg", "is empty"))
    assert [guess.where for guess in read_guesses(path)] == [f"{path}:1", f"{path}:2"]


def test_jsonl_with_byte_order_mark_and_empty_lines(tmp_path: Path) -> None:
    line = '{"image": "x", "error": "e"}'
    path = written(tmp_path, f"\ufeff\r\n{line}\r\n\n{line.replace('x', 'y')}")
    assert [guesses.image for guesses in read_guesses(path)] == ["x", "y"]


def test_own_csv(tmp_path: Path) -> None:
    records: list[Localization | Failure] = [
        localization(),
        localization('say "hi".jpg'),
        Failure("bad.jpg", "e"),
    ]
    csv_table.write(lambda: iter(records), CLASSES, tmp_path)
    assert list(read_guesses(tmp_path / "predictions.csv")) == [
        Guesses("a/b, c.jpg", LABELS, BOXES, indices=INDICES, names=NAMES),
        Guesses('say "hi".jpg', LABELS, BOXES, indices=INDICES, names=NAMES),
    ]


def test_csv_with_the_least_columns_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path, "x1,y1,x0,y0,class_id,image\n3,4,1,2,n1,a\n7,8,5,6,n2,a\n3,4,1,2,n1,b\n")
    assert list(read_guesses(path)) == [
        Guesses("a", ("n1", "n2"), ((1, 2, 3, 4), (5, 6, 7, 8))),
        Guesses("b", ("n1",), ((1, 2, 3, 4),)),
    ]


def test_kaggle_table(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        f"ImageId,PredictionString\nv1,{DOG} 0 1 9 9 {CAT} 5.5 5 5.5 5 \nv2,\n\nv3,{DOG} -3 0 9 900\n",
    )
    assert list(read_guesses(path)) == [
        Guesses("v1", (DOG, CAT), ((0, 1, 10, 10), (5.5, 5, 6.5, 6))),
        Guesses("v2", (), ()),
        Guesses("v3", (DOG,), ((-3, 0, 10, 901),)),  # a regressed box may reach out of the image
    ]


@pytest.mark.parametrize("separator", [" ", "\t", ",", ", "])
def test_plain_text(tmp_path: Path, separator: str) -> None:
    rows = [["a/1.jpg", DOG, "0", "1", "9", "9", "7", "1", "1", "2", "2"], ["2", "dog", "0", "0", "0", "0"]]
    path = written(tmp_path, "\n" + "\n".join(separator.join(row) for row in rows) + "\n\n")
    assert list(read_guesses(path)) == [
        Guesses("a/1.jpg", (DOG, "7"), ((0, 1, 10, 10), (1, 1, 3, 3))),
        Guesses("2", ("dog",), ((0, 0, 1, 1),)),
    ]


OFFICIAL = "1 0 0 9 9 1 5 5 8 8 3 0 0 1 1 1 0 0 9 9 2 0 0 4 4\n2 1 1 2 2\n\n"


def test_official_text(tmp_path: Path) -> None:
    path = written(tmp_path, OFFICIAL)
    assert list(read_guesses(path, validation_order=ORDER, synsets=SYNSETS)) == [
        Guesses(
            "val_1",
            (DOG, DOG, "n02096294", DOG, CAT),  # in the kit's order
            ((0, 0, 10, 10), (5, 5, 9, 9), (0, 0, 2, 2), (0, 0, 10, 10), (0, 0, 5, 5)),
        ),
        Guesses("val_2", (CAT,), ((1, 1, 3, 3),)),
    ]


def test_official_text_needs_order_and_synsets(tmp_path: Path) -> None:
    path = written(tmp_path, OFFICIAL)
    with pytest.raises(
        DataError, match=r"guesses:1: ILSVRC text .*map_clsloc\.txt.* and the names of the validation"
    ):
        read_guesses(path)
    with pytest.raises(DataError, match=r"give the wnids in the development kit's order"):
        read_guesses(path, validation_order=ORDER)
    with pytest.raises(DataError, match=r"give the names of the validation images"):
        read_guesses(path, synsets=SYNSETS)
    in_network_order = [f"n{index:08}" for index in range(1000)]
    with pytest.raises(DataError, match="sorted, but the kit's order is another"):
        read_guesses(path, validation_order=ORDER, synsets=in_network_order)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 1 1\n", "guesses: has 1 lines for 2 validation images"),
        ("1 0 0 1 1\n\n\n", "guesses: has 1 lines for 2 validation images"),
        ("1 0 0 1 1\n" * 3, "guesses:3: has more lines than the 2 validation"),
        ("1 0 0 1 1\n\n1 0 0 1 1\n", "guesses:2: the line is empty"),
        ("1 0 0 1 1\n4 0 0 1 1\n", "guesses:2: expected a class from 1 to 3 before each box, found `4`"),
        ("0 0 0 1 1\n1 0 0 1 1\n", "guesses:1: expected a class from 1 to 3"),
        ("1 0 0 1 1\n1.5 0 0 1 1\n", "guesses:2: expected a class from 1 to 3"),
        (
            "1 0 0 1 1\n1 0 0 1 1 2\n",
            "guesses:2: expected `label x0 y0 x1 y1` once or several times, found 6",
        ),
        ("1 0 0 1 1\n1 5 0 1 1\n", "guesses:2: the box `5 0 1 1` ends before it begins"),
    ],
)
def test_malformed_official_text(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message):
        list(read_guesses(path, validation_order=ORDER, synsets=SYNSETS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"a {DOG} 0 0 1 1\nb {DOG} 0 0 1\n", "guesses:2: expected `label x0 y0 x1 y1`"),
        (f"a {DOG} 0 0 1 1\nb\n", "guesses:2: expected `image label x0 y0 x1 y1`, found `b`"),
        (f"a {DOG} 0 0 1 1\nb {DOG} 0 0 x 1\n", "guesses:2: the box `0 0 x 1` is not the four numbers"),
        (f"a {DOG} 0 0 1 1\nb {DOG} 5 0 4 1\n", "guesses:2: the box `5 0 4 1` ends before it begins"),
        (f"a {DOG} 0 0 1 1\nb {DOG} 0 5 4 1\n", "guesses:2: the box .* ends before it begins"),
        (f"a {DOG} 0 0 nan 1\n", "guesses:1: the box `0 0 nan 1` .* not finite"),
        (f"a {DOG} 0 0 1 inf\n", "guesses:1: the box .* not finite"),
        (f"a {DOG} 0 0 1 1\n\na {DOG} 0 0 1 1\n", "guesses:3: a stands there twice"),
        (f"ImageId,PredictionString\na,{DOG} 0 0 1\n", "guesses:2: expected `label x0 y0 x1 y1`"),
        (
            "ImageId,PredictionString\na,7 0 0 1 1\n",
            "guesses:2: expected an image and a wnid before each box",
        ),
        (f"ImageId,PredictionString\na,0 0 1 1 {DOG}\n", "guesses:2: expected an image and a wnid"),
        (f"ImageId,PredictionString\n,{DOG} 0 0 1 1\n", "guesses:2: expected an image"),
        (f"ImageId,PredictionString\na,{DOG} 2 0 1 1\n", "guesses:2: the box `2 0 1 1` ends before"),
        (f"ImageId,PredictionString\na,{DOG} 0 0 1 1\na,{DOG} 0 0 1 1\n", "guesses:3: a stands there twice"),
        ('ImageId,PredictionString\n"a,x\n', r"guesses:2: "),
        (
            "image,class_id,x0,y0,x1,y1\na,n1,0,0,1\n",
            "guesses:2: expected 6 fields as in the header, found 5",
        ),
        ("image,class_id,x0,y0,x1,y1\na,n1,0,0,1,z\n", "guesses:2: could not convert"),
        ("image,class_id,x0,y0,x1,y1\na,n1,0,0,1,nan\n", "guesses:2: the box .* not finite"),
        ("image,class_id,x0,y0,x1,y1\na,n1,0,0,inf,1\n", "guesses:2: the box .* not finite"),
        ("image,class_id,x0,y0,x1,y1\na,n1,3,0,3,1\n", "guesses:2: the box .* is empty"),
        ("image,class_id,x0,y0,x1,y1\na,n1,-1,0,3,1\n", "guesses:2: the box .* leaves the image"),
        ("image,class_id,x0,y0,x1,y1\na,,0,0,3,1\n", "guesses:2: names no image or no class"),
        (
            "image,class_id,x0,y0,x1,y1\na,n,0,0,3,1\nb,n,0,0,3,1\na,n,0,0,3,1\n",
            "guesses:4: a stands there twice",
        ),
        ("image,rank,class_id,x0,y0,x1,y1\na,2,n,0,0,3,1\n", "guesses:2: expected rank 1 of a, found 2"),
        ("image,class_id,class_index,x0,y0,x1,y1\na,n,z,0,0,3,1\n", "guesses:2: invalid literal"),
        ("", "guesses: is empty; expected predictions.jsonl"),
        (" \n\n", "guesses: is empty"),
        ("one.jpg\n", "guesses:1: these are no guesses; expected .* found `one.jpg`"),
        ("a n1 x y z w\n", "guesses:1: these are no guesses"),
        ("image,label,x0,y0,x1,y1\n", "guesses:1: these are no guesses"),
        ('[{"image": "a"}]\n', "guesses:1: these are no guesses"),
    ],
)
def test_malformed_lines_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        list(read_guesses(path))
    assert "\n" not in str(caught.value)


LINE: dict[str, Any] = {
    "image": "a",
    "width": 40,
    "height": 30,
    "map": "cam",
    "predictions": [{"class_id": "n1", "box": [0, 0, 40, 30]}],
}


def one_box(*edges: object) -> dict[str, Any]:
    return LINE | {"predictions": [{"class_id": "n1", "box": list(edges)}]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "no object"),
        ({"error": "x"}, "has no 'image'"),
        (LINE | {"image": 3}, "no object that names its image"),
        ({"image": "a"}, "has no 'width'"),
        (LINE | {"width": "40"}, "'width'"),
        (LINE | {"predictions": {}}, "'predictions'"),
        (LINE | {"predictions": [{"box": [0, 0, 1, 1]}]}, "has no 'class_id'"),
        (LINE | {"predictions": [{"class_id": 3, "box": [0, 0, 1, 1]}]}, "'class_id' is not a string"),
        (
            LINE | {"predictions": [{"class_id": "n1", "class_index": "1", "box": [0, 0, 40, 30]}]},
            "'class_index'",
        ),
        (
            LINE | {"predictions": [{"class_id": "n1", "class_name": 1, "box": [0, 0, 40, 30]}]},
            "'class_name'",
        ),
        (LINE | {"predictions": [3]}, "is it a predictions.jsonl"),
        (one_box(0, 0, 1), "four numbers"),
        (one_box(0, 0, "1", 1), "is it a predictions.jsonl"),
        (one_box(0, 0, 41, 1), "leaves the image"),
        (one_box(0, -1, 4, 1), "leaves the image"),
        (one_box(5, 0, 4, 1), "is empty"),
        (one_box(0, 0, float("nan"), 1), "not finite"),
        (one_box(0, 0, float("inf"), 1), "not finite"),
    ],
)
def test_malformed_jsonl(tmp_path: Path, values: object, message: str) -> None:
    path = written(tmp_path, json.dumps(LINE | {"image": "first"}) + "\n" + json.dumps(values) + "\n")
    with pytest.raises(DataError, match=f"guesses:2: .*{message}"):
        list(read_guesses(path))


@pytest.mark.parametrize("tail", ["{", "{}x", "[" * 100_000, '{"image": "first", "error": ""}'])
def test_jsonl_that_is_torn_or_repeats(tmp_path: Path, tail: str) -> None:
    path = written(tmp_path, json.dumps(LINE | {"image": "first"}) + "\n" + tail)
    read = read_guesses(path)
    assert next(read).image == "first"
    with pytest.raises(DataError, match="guesses:2: "):
        next(read)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read the guesses .*No such file"):
        read_guesses(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"cannot read the guesses .*directory"):
        read_guesses(tmp_path)
    (tmp_path / "x.pt").write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match=r"x\.pt: it is no UTF-8 text"):
        read_guesses(tmp_path / "x.pt")


def test_many_lines_come_as_they_are_asked_for(tmp_path: Path) -> None:
    line = json.dumps(LINE | {"image": "NAME"})
    path = written(tmp_path, "\n".join([*(line.replace("NAME", str(row)) for row in range(5000)), "torn"]))
    read = read_guesses(path)
    assert [guesses.image for guesses in islice(read, 5000)] == [str(row) for row in range(5000)]
    with pytest.raises(DataError, match="guesses:5001: "):
        next(read)


def test_jsonl_and_csv_say_the_same_as_the_strict_reader(tmp_path: Path) -> None:
    path = own_jsonl(tmp_path, *(localization(f"{index}.jpg", "entropy-class") for index in range(3)))
    strict = [record for record in read_predictions(path) if isinstance(record, Localization)]
    csv_table.write(lambda: iter(strict), CLASSES, tmp_path)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "predictions.csv").read_text())))
    assert len(rows) == 9
    for quick in (read_guesses(path), read_guesses(tmp_path / "predictions.csv")):
        assert [(g.image, g.labels, g.boxes) for g in quick] == [
            (r.image, tuple(p.class_id for p in r.predictions), tuple(p.box for p in r.predictions))
            for r in strict
        ]


def test_an_open_quotation_mark_that_hides_a_column(tmp_path: Path) -> None:
    text = 'image,class_id,x0,y0,x1,"y1\na.jpg,n01,1,2,3,4\n"\n'
    with pytest.raises(DataError, match="guesses: its header has no column y1"):
        list(read_guesses(written(tmp_path, text)))


def test_numbers_beyond_all_images(tmp_path: Path) -> None:
    huge = "9" * 400
    guess = f'{{"class_id": "n01", "box": [0, 0, {huge}, 1]}}'
    line = f'{{"image": "a", "width": {huge}, "height": 2, "map": "cam", "predictions": [{guess}]}}\n'
    with pytest.raises(DataError, match="guesses:1: int too large"):
        list(read_guesses(written(tmp_path, line)))
    with pytest.raises(DataError, match="guesses:1: expected a class from 1 to 3"):
        list(
            read_guesses(
                written(tmp_path, f"{'9' * 5000} 1 2 3 4\n"), validation_order=ORDER, synsets=SYNSETS
            )
        )
