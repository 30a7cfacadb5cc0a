"""A few of the cases that tests/benchmarks/fuzz.py runs by the thousand, the same ones every time."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("safetensors")

from tests.fuzzing.cases import Cases, Hang, keep, limited
from tests.fuzzing.mutations import mutated
from tests.fuzzing.targets import TARGETS, Target
from tests.fuzzing.trees import mutated_tree
from wsloc.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CASES = {"checkpoint-contents": 6, "state-dicts": 6, "journals": 30}  # networks are built, disks waited for
USUAL = 60


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_are_refused_or_read(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cases = Cases(TARGETS[name], tmp_path / "cases", random_seed=0)
    for number in range(CASES.get(name, USUAL)):
        finding = cases.run(number)
        assert finding is None, f"case {number}, {finding.file}: {finding.what}"
    assert capfd.readouterr() == ("", "")


# --- the fuzzer itself ---


def cases(folder: Path, read: Callable[[Path, Path], object]) -> Cases:
    def write(place: Path) -> None:
        (place / "sub").mkdir()
        (place / "sub/a.json").write_text('{"a": [1, 2]}')
        (place / "b.csv").write_text("image,label\n")

    return Cases(Target(write, read), folder / "cases", random_seed=3)


def test_a_case_is_one_damaged_file_and_the_same_again(tmp_path: Path) -> None:
    def clear(folder: Path, path: Path) -> None:
        path.unlink()
        (folder / "new").touch()

    one = cases(tmp_path, clear)
    seen = []
    for number in (1, 2, 1):
        path = one.write(number)
        seen.append((path, path.read_bytes()))
        assert {file for file in one.folder.rglob("*") if file.is_file()} == set(one.files)
        assert [file for file in one.files if file.read_bytes() != one.files[file]] == [path]
        assert one.run(number) is None
    assert seen[0] == seen[2] != seen[1]


def test_wrong_answers_are_found(tmp_path: Path) -> None:
    def fail(_: Path, path: Path) -> None:
        raise {".json": KeyError("a"), ".csv": DataError("malformed")}[path.suffix]

    one = cases(tmp_path, fail)
    found = {finding.key: finding for number in range(20) if (finding := one.run(number)) is not None}
    assert set(found) == {"KeyError in nowhere", "nameless malformed"}
    finding = found["KeyError in nowhere"]
    assert finding.file == "sub/a.json"
    assert "KeyError: 'a'" in finding.what
    number = next(number for number in range(20) if one.write(number).suffix == ".json")
    keep(one, finding, number, tmp_path / "kept")
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {f"{number}.txt", f"{number}-a.json"}


def test_what_takes_too_long_is_stopped_whatever_it_catches() -> None:
    start = time.process_time()

    def never_end() -> None:
        while time.process_time() < start + 20:
            try:
                sum(range(1000))
            except Exception:  # noqa: BLE001, S112 - as readers do
                continue

    with pytest.raises(Hang), limited(0.05):
        never_end()


def test_values_change_in_one_place_of_a_copy() -> None:
    value = {"a": [1, {"b": 2}], "c": "d"}
    changed = [mutated_tree(value, Random(number)) for number in range(100)]
    assert value == {"a": [1, {"b": 2}], "c": "d"}
    assert sum(other != value for other in changed) > 75
    assert any(isinstance(other, dict) and other.get("a") != value["a"] for other in changed)
    assert any(isinstance(other, dict) and set(other) != set(value) for other in changed)


@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.bin"])
def test_files_change(name: str) -> None:
    content = b'{"image": "a.jpg", "width": 24}\n' * 4
    changed = {mutated(name, content, [content[::-1]], Random(number)) for number in range(40)}
    assert len(changed - {content}) > 30
