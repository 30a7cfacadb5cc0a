from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from wsloc.errors import DataError
from wsloc.inputs.mask_classes import VOC_CLASSES, MaskClass, read_mask_classes

if TYPE_CHECKING:
    from pathlib import Path

CAT = {"value": 1, "class_index": 0, "class_id": "n1", "class_name": "cat"}


def written(folder: Path, **content: Any) -> Path:
    path = folder / "classes.json"
    path.write_text(json.dumps({"schema_version": 1, "background": 0, "ignore": 255, **content}))
    return path


def test_classes_as_they_stand_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, classes=[CAT, {"value": 254, "class_id": "dog"}], rule="max:0.2")
    assert read_mask_classes(path) == (MaskClass(1, "n1", "cat"), MaskClass(254, "dog", "dog"))


def test_vocs_own_values() -> None:
    values = {entry.class_id: entry.value for entry in VOC_CLASSES}
    assert (len(values), values["aeroplane"], values["dog"], values["tvmonitor"]) == (20, 1, 12, 20)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"classes": []}, "one class at least"),
        ({"classes": {"1": "cat"}}, 'list "classes"'),
        ({"classes": [CAT], "schema_version": 2}, "schema_version is 2, and 1 is expected"),
        ({"classes": [CAT], "background": 255}, "background is 255, and 0 is expected"),
        ({"classes": [CAT], "ignore": 0}, "ignore is 0"),
        ({"classes": [CAT | {"value": 0}]}, "not in 1-254"),
        ({"classes": [CAT | {"value": 255}]}, "not in 1-254"),
        ({"classes": [CAT | {"value": True}]}, "not in 1-254"),
        ({"classes": [CAT | {"class_id": ""}]}, "value 1 has no class_id"),
        ({"classes": ["cat"]}, "the value None"),
        ({"classes": [CAT, CAT | {"class_id": "x"}]}, "the value 1 stands there twice"),
        ({"classes": [CAT, CAT | {"value": 2}]}, "the class_id n1 stands there twice"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, content: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=rf"classes\.json: is no list of mask classes: .*{words}"):
        read_mask_classes(written(tmp_path, **content))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*classes\.json"):
        read_mask_classes(tmp_path / "classes.json")
    for content in (b"[1, 2", b"\xff\xfe\x00", b"[]"):
        (tmp_path / "classes.json").write_bytes(content)
        with pytest.raises(DataError, match=r"classes\.json"):
            read_mask_classes(tmp_path / "classes.json")


def test_a_file_that_is_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"classes\.json: is no list of mask classes"):
        read_mask_classes(tmp_path / "classes.json")


def test_a_long_list_is_looked_through_in_no_time(tmp_path: Path) -> None:
    path = written(tmp_path, classes=[CAT] * 100_000)
    start = time.process_time()
    with pytest.raises(DataError, match="the value 1 stands there twice"):
        read_mask_classes(path)
    assert time.process_time() - start < 4  # twenty and more where each is looked for among those before it
