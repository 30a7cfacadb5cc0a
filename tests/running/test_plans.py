from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError, UsageError
from wsloc.running.journal import Journal
from wsloc.running.plans import (
    FOLDER,
    PLAN,
    begin_plan,
    forget,
    give_up,
    journals,
    logged_images,
    read_plan,
    refuse_other_commands,
)

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"command": "boxes", "images": 4, "batch_size": 2}


def interrupt(folder: Path) -> None:
    """Two processes that were killed: the second in its batch."""
    begin_plan(folder, IDENTITY)
    for rank in (0, 1):
        with Journal(folder / FOLDER / f"rank-{rank}.jsonl") as journal:
            journal.write(rank, [b'{"image": "%d"}\n' % rank])
            if rank == 0:
                journal.close_batch({})


def test_a_plan_says_what_the_run_is(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    assert read_plan(tmp_path / "gone") is None
    begin_plan(tmp_path, IDENTITY)
    assert read_plan(tmp_path) == IDENTITY
    for damage in ("", "{", "[]", '{"identity": 3}', "[" * 100_000):
        (tmp_path / FOLDER / PLAN).write_text(damage)
        assert read_plan(tmp_path) == {}


def test_a_new_plan_forgets_what_another_run_has_done(tmp_path: Path) -> None:
    interrupt(tmp_path)
    begin_plan(tmp_path, {**IDENTITY, "images": 9})
    assert journals(tmp_path) == []
    assert read_plan(tmp_path) == {**IDENTITY, "images": 9}


def test_images_are_those_of_all_processes(tmp_path: Path) -> None:
    interrupt(tmp_path)
    assert [path.name for path in journals(tmp_path)] == ["rank-0.jsonl", "rank-1.jsonl"]
    assert list(logged_images(tmp_path)) == ["0", "1"]
    assert list(logged_images(tmp_path, of_done_batches=False)) == ["1"]


def test_what_is_forgotten_counts_for_nothing_and_what_is_given_up_is_gone(tmp_path: Path) -> None:
    interrupt(tmp_path)
    (tmp_path / FOLDER / "rank-0.lock").touch()
    forget(tmp_path)
    assert read_plan(tmp_path) is None
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["rank-0.lock"]
    give_up(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    (tmp_path / FOLDER / PLAN).mkdir(parents=True)
    with pytest.raises(OutputError, match=r"cannot remove .*\.wsloc-unfinished: "):
        give_up(tmp_path)
    with pytest.raises(OutputError, match="cannot write to "):
        begin_plan(tmp_path, IDENTITY)


def test_other_commands_are_refused(tmp_path: Path) -> None:
    refuse_other_commands(tmp_path, {}, "seeds")
    refuse_other_commands(tmp_path, {"command": "seeds"}, "seeds")
    with pytest.raises(UsageError, match="holds results of wsloc boxes, which wsloc seeds does not replace"):
        refuse_other_commands(tmp_path, IDENTITY, "seeds")
