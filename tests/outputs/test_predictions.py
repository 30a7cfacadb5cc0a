import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wsloc.errors import DataError, OutputError
from wsloc.outputs.predictions import (
    Records,
    localizations,
    prediction_line,
    read_predictions,
    record_line,
    write_predictions,
)
from wsloc.records import Failure, Localization, Prediction


def written(records: Records, folder: Path) -> Path:
    return write_predictions(folder, map(record_line, records()))


def test_a_line_has_the_documented_keys_in_their_order(record: Localization) -> None:
    line = prediction_line(replace(record, predictions=record.predictions[:1]))
    assert json.dumps(line) == (
        '{"image": "a/b.jpg", "width": 500, "height": 375, "map": "entropy-class", "predictions": '
        '[{"class_index": 1, "class_id": "n01443537", "class_name": "goldfish", "probability": 0.93, '
        '"box": [12.0, 3.5, 240.25, 199.0], "mass": 0.981}]}'
    )


def test_a_failure_is_its_image_and_its_error() -> None:
    assert list(prediction_line(Failure("x.jpg", "is empty")).items()) == [
        ("image", "x.jpg"),
        ("error", "is empty"),
    ]


def test_what_is_written_is_read_again(records: Records, tmp_path: Path) -> None:
    path = written(records, tmp_path / "new" / "folder")
    assert path.name == "predictions.jsonl"
    assert [other.name for other in path.parent.iterdir()] == [path.name]
    read = list(read_predictions(path))
    assert len(read) == 4
    for one, other in zip(read, records(), strict=True):
        if isinstance(one, Localization) and isinstance(other, Localization):
            assert (one.image, one.width, one.height, one.map, one.predictions) == (
                other.image,
                other.width,
                other.height,
                other.map,
                other.predictions,
            )
        else:
            assert one == other


def test_names_are_written_as_they_are_read(tmp_path: Path) -> None:
    failures = [Failure("金魚\u2028é.jpg", "ä"), Failure(os.fsdecode(b"caf\xe9.jpg"), "no UTF-8")]
    path = written(lambda: iter(failures), tmp_path)
    assert list(read_predictions(path)) == failures
    assert "金魚\u2028é" in path.read_text(encoding="utf-8").split("\n")[0]


def test_an_error_leaves_the_old_file(record: Localization, tmp_path: Path) -> None:
    old = tmp_path / "predictions.jsonl"
    old.write_text("old")

    def lines() -> Iterator[bytes]:
        yield record_line(record)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(tmp_path, lines())
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.jsonl"]
    assert old.read_text() == "old"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        write_predictions(tmp_path / "file", [])


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["probability", "mass", "box"])
def test_nan_is_never_written(place: str, number: float, predict: Callable[..., Prediction]) -> None:
    values: dict[str, Any] = {place: (0.0, 0.0, number, 1.0) if place == "box" else number}
    bad = Localization("x.jpg", 4, 4, "cam", (replace(predict(0, (0.0, 0.0, 1.0, 1.0)), **values),))
    with pytest.raises(OutputError, match=r"x\.jpg"):
        record_line(bad)
    with pytest.raises(OutputError, match=r"x\.jpg"):
        list(localizations([bad]))


def test_failures_are_no_localizations(records: Records) -> None:
    assert [record.image for record in localizations(records())] == ["a/b.jpg", "empty.png", "c.jpg"]


def good_line() -> dict[str, Any]:
    entry = {
        "class_index": 0,
        "class_id": "n1",
        "class_name": "x",
        "probability": 1,
        "box": [0, 0, 4, 4],
        "mass": 0,
    }
    return {"image": "x.jpg", "width": 4, "height": 4, "map": "cam", "predictions": [entry]}


def changed(key: str, value: Any) -> str:
    """The good line with another value; `prediction.` goes to its prediction."""
    line = good_line()
    place: dict[str, Any] = line["predictions"][0] if "." in key else line
    place[key.rpartition(".")[2]] = value
    return json.dumps(line)


def test_a_line_of_someone_else_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(f"\ufeff{json.dumps(good_line() | {'extra': None})}\r\n\n", encoding="utf-8")
    (record,) = read_predictions(path)
    assert isinstance(record, Localization)
    assert record.predictions[0].box == (0.0, 0.0, 4.0, 4.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "object"),
        ("3", "object"),
        ("[" * 100_000, "recursion"),
        ('{"image": 3, "error": "x"}', "'image'"),
        ('{"image": "x.jpg", "error": null}', "'error'"),
        ('{"image": "x.jpg"}', "'width'"),
        ("\udcff", "utf-8"),
        (changed("width", 0), "'width'"),
        (changed("height", 2.5), "'height'"),
        (changed("width", True), "'width'"),
        (changed("map", None), "'map'"),
        (changed("predictions", {}), "'predictions'"),
        (changed("predictions", [1]), "prediction"),
        (changed("prediction.class_index", -1), "'class_index'"),
        (changed("prediction.class_name", 3), "'class_name'"),
        (changed("prediction.probability", 1.5), "'probability'"),
        (changed("prediction.probability", float("nan")), "'probability'"),
        (changed("prediction.mass", "1"), "'mass'"),
        (changed("prediction.mass", 10**400), "large"),
        (changed("prediction.box", [0, 0, 1]), "'box'"),
        (changed("prediction.box", [0, 0, 0, 1]), "empty"),
        (changed("prediction.box", [0, 0, 4, 4.01]), "leaves"),
        (changed("prediction.box", [0, 0, 4.01, 4]), "leaves"),
        (changed("prediction.box", [-1, 0, 4, 4]), "leaves"),
    ],
)
def test_a_malformed_line_is_named(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(good_line()) + "\n" + line + "\n", encoding="utf-8", errors="surrogateescape")
    reader = read_predictions(path)
    next(reader)
    with pytest.raises(DataError, match=r"p\.jsonl, line 2: ") as caught:
        next(reader)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"p\.jsonl"):
        list(read_predictions(tmp_path / "p.jsonl"))
