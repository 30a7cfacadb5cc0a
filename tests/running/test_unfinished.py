from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.running.fake_store import fake_ranks
from wsloc.errors import OutputError, RunError, UsageError
from wsloc.running import unfinished as module
from wsloc.running.plans import FOLDER, logged_images, read_plan
from wsloc.running.ranks import Ranks
from wsloc.running.unfinished import Work, open_work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

IDENTITY = {
    "command": "boxes",
    "mass": 0.98,
    "images": 9,
    "image_ids": "x",
    "image_files": "y",
    "batch_size": 2,
}
BATCHES = range(5)  # the last one has one image


@dataclass
class Results:
    """What a command would know of its results, and what it was asked."""

    standing: Mapping[str, Any] | None = None
    whole: bool = True
    asked: list[object] = field(default_factory=list)

    def identity(self) -> Mapping[str, Any] | None:
        return self.standing

    def are_whole(self) -> bool:
        return self.whole

    def clear(self) -> None:
        self.asked.append("clear")

    def tidy(self, images: Iterable[str]) -> None:
        self.asked.append(list(images))


def do(work: Work, number: int, *, close: bool = True) -> None:
    assert work.journal is not None
    work.journal.write(number, [b'{"image": "%d"}\n' % number])
    if close:
        work.journal.close_batch({"flat": 1})


def open_all(folder: Path, results: Results | None = None, **options: Any) -> Any:
    settings = {"batches": BATCHES, "ranks": Ranks(), **options}
    return open_work(folder, settings.pop("identity", IDENTITY), results or Results(), **settings)


def interrupt(folder: Path, *numbers: int, unclosed: int | None = None) -> None:
    """A run that Ctrl-C ends after some batches."""

    def work_on(work: Work) -> None:
        for number in numbers:
            do(work, number)
        if unclosed is not None:
            do(work, unclosed, close=False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_all(folder) as work:
        work_on(work)


def test_a_new_run_does_everything_and_leaves_no_trace(tmp_path: Path) -> None:
    results = Results()
    with open_all(tmp_path / "out", results) as work:
        assert (work.todo, work.skipped, work.complete) == (tuple(BATCHES), 0, False)
        assert read_plan(tmp_path / "out") == IDENTITY
        for number in work.todo:
            do(work, number)
        assert work.wait_for_all()
        assert [entry.batch for entry in work.entries()] == list(BATCHES)
        work.finish()
    assert list((tmp_path / "out").iterdir()) == []
    assert results.asked == ["clear", []]


def test_an_interrupted_run_is_gone_on_with(tmp_path: Path) -> None:
    interrupt(tmp_path, 0, 1, unclosed=2)
    results = Results()
    with open_all(tmp_path, results) as work:
        assert (work.todo, work.skipped) == ((2, 3, 4), 4)
        assert results.asked == [["2"]]  # what was just being written
        for number in work.todo:
            do(work, number)
        assert len(work.entries()) == 5
        work.finish()
    assert not (tmp_path / FOLDER).exists()


def test_a_run_that_was_killed_while_its_results_were_joined_tidies_all(tmp_path: Path) -> None:
    interrupt(tmp_path, *BATCHES)
    results = Results()
    with open_all(tmp_path, results) as work:
        assert (work.todo, work.skipped, work.complete, work.journal) == ((), 9, False, None)
        assert len(work.entries()) == 5
    assert results.asked == [[str(number) for number in BATCHES]]


def test_overwriting_begins_anew(tmp_path: Path) -> None:
    interrupt(tmp_path, 0, 1)
    results = Results()
    with open_all(tmp_path, results, overwrite=True, identity={**IDENTITY, "mass": 0.5}) as work:
        assert (work.todo, work.skipped) == (tuple(BATCHES), 0)
        assert read_plan(tmp_path) == {**IDENTITY, "mass": 0.5}
    assert results.asked == ["clear", []]


def test_a_restart_goes_on_though_overwriting_was_said(tmp_path: Path) -> None:
    interrupt(tmp_path, 0, 1)
    with open_all(tmp_path, overwrite=True, ranks=Ranks(attempt=1)) as work:
        assert (work.todo, work.skipped) == ((2, 3, 4), 4)


def test_a_journal_without_a_plan_counts_for_nothing(tmp_path: Path) -> None:
    interrupt(tmp_path, 0, 1)
    (tmp_path / FOLDER / "plan.json").unlink()
    assert read_plan(tmp_path) is None
    with open_all(tmp_path) as work:
        assert work.todo == tuple(BATCHES)


def test_other_arguments_are_refused_and_change_nothing(tmp_path: Path) -> None:
    interrupt(tmp_path, 0)
    before = {path: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()}
    with pytest.raises(UsageError) as caught, open_all(tmp_path, identity={**IDENTITY, "mass": 0.5}):
        pass
    assert str(caught.value) == (
        f"{tmp_path} holds an interrupted run with other arguments, mass (0.98 there, 0.5 here): give the same to go "
        "on, --overwrite to start anew, or another --output"
    )
    assert {path: path.read_bytes() for path in (tmp_path / FOLDER).iterdir()} == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identity": 3}', "\0", "[" * 100_000])
def test_a_damaged_plan_is_refused(tmp_path: Path, content: str) -> None:
    interrupt(tmp_path, 0)
    (tmp_path / FOLDER / "plan.json").write_text(content)
    with (
        pytest.raises(UsageError, match="holds results of a run whose arguments are not known"),
        open_all(tmp_path),
    ):
        pass


def test_a_complete_run_is_kept_or_refused(tmp_path: Path) -> None:
    results = Results(IDENTITY)
    with open_all(tmp_path, results) as work:
        assert (work.todo, work.skipped, work.complete) == ((), 9, True)
    assert results.asked == []
    assert list(tmp_path.iterdir()) == []
    other = Results({**IDENTITY, "mass": 0.5})
    with (
        pytest.raises(
            UsageError, match=r"holds the results of another run, mass \(0.5 there, 0.98 here\): give"
        ),
        open_all(tmp_path, other),
    ):
        pass
    with pytest.raises(UsageError, match="whose arguments are not known"), open_all(tmp_path, Results({})):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["rank-0.lock", "rank-3.lock", "rank-1.jsonl"])
def test_a_run_that_was_killed_at_its_very_end_is_swept_up(tmp_path: Path, left: str) -> None:
    """Its results were complete, and its plan was gone."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / left).touch()
    with open_all(tmp_path, Results(IDENTITY)) as work:
        assert work.complete
    assert list(tmp_path.iterdir()) == []


def test_a_complete_run_that_is_not_whole_is_done_again(tmp_path: Path) -> None:
    results = Results(IDENTITY, whole=False)
    with open_all(tmp_path, results) as work:
        assert (work.todo, work.complete) == (tuple(BATCHES), False)
    assert results.asked == ["clear", []]


def test_only_the_shards_own_batches_are_done(tmp_path: Path) -> None:
    with open_all(tmp_path, batches=range(1, 5, 2)) as work:
        assert work.todo == (1, 3)
        do(work, 1)
        with pytest.raises(RunError, match=r"1 of 2 batches are missing in .*: run the same command again"):
            work.entries()


def test_a_folder_at_work_is_closed_to_others(tmp_path: Path) -> None:
    code = (
        "from tests.running.test_unfinished import *\n"
        "from pathlib import Path\n"
        "import sys\n"
        "with open_all(Path(sys.argv[1])) as work:\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    words = "another wsloc is at work in .*: wait until it has ended"
    with pytest.raises(OutputError, match=words), open_all(tmp_path):
        pass
    process.kill()
    process.communicate()
    with open_all(tmp_path) as work:  # the lock went with the process
        assert work.todo == tuple(BATCHES)


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file is a file: name a folder"), open_all(tmp_path / "file"):
        pass


# Several processes: threads here, which share a store.


def together(folder: Path, ranks: list[Ranks], dying: int | None = None) -> dict[object, Any]:
    """What each process had to do, or the error that it met; a dying one leaves its last batch open."""
    found: dict[object, Any] = {}

    def act(one: Ranks) -> None:
        with suppress(KeyboardInterrupt):
            try:
                with open_all(folder, ranks=one) as work:
                    found[one.rank] = (work.todo, work.skipped)
                    share(one, work)
            except RunError as error:
                found[one.rank] = error

    def share(one: Ranks, work: Work) -> None:
        for number in work.todo:
            do(work, number, close=one.rank != dying or number != work.todo[-1])
        if one.rank == dying:
            raise KeyboardInterrupt
        if work.wait_for_all():
            found["entries"] = [entry.batch for entry in work.entries()]
            work.finish()

    threads = [threading.Thread(target=act, args=(one,)) for one in ranks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_processes_share_what_is_left(tmp_path: Path) -> None:
    found = together(tmp_path, fake_ranks(3))
    assert found == {0: ((0, 3), 0), 1: ((1, 4), 0), 2: ((2,), 0), "entries": [0, 1, 2, 3, 4]}
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_loses_its_unfinished_batch_and_any_number_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsloc.running.ranks.PATIENCE", 0.3)
    found = together(tmp_path, fake_ranks(2), 1)
    assert "process 1 of 2 shows no life" in str(found[0])
    assert list(logged_images(tmp_path)) == ["0", "2", "4", "1", "3"]
    monkeypatch.undo()
    again = together(tmp_path, fake_ranks(3))
    assert again == {0: ((3,), 7), 1: ((), 7), 2: ((), 7), "entries": [0, 1, 2, 3, 4]}


def test_processes_that_see_other_images_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsloc.running.ranks.PATIENCE", 0.3)
    first, second = fake_ranks(2)
    errors: list[str] = []

    def differ() -> None:
        try:
            with open_all(tmp_path, ranks=second, identity={**IDENTITY, "images": 8, "image_ids": "z"}):
                pass
        except RunError as error:
            errors.append(str(error))

    thread = threading.Thread(target=differ)
    thread.start()
    with open_all(tmp_path, ranks=first):
        thread.join()
    (error,) = errors
    assert error.startswith(
        "process 1 is not asked what process 0 is: images (9 there, 8 here) (there: process 0)"
    )


def test_processes_need_a_drive_that_they_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ARRIVAL", 0.1)
    first, second = fake_ranks(2)
    words = "process 1 does not see .*elsewhere as process 0 does: name an --output"
    elsewhere = open_all(tmp_path / "elsewhere", ranks=second)
    second.tell("ready")
    with open_all(tmp_path / "here", ranks=first), pytest.raises(RunError, match=words), elsewhere:
        pass


def test_processes_meet_in_the_middle_and_read_what_all_have_done(tmp_path: Path) -> None:
    found: dict[int, list[int]] = {}

    def go(ranks: Ranks) -> None:
        with open_all(tmp_path, ranks=ranks) as work:
            for number in work.todo[:1]:
                do(work, number)
            work.meet("middle")
            found[ranks.rank] = [entry.batch for entry in work.entries(range(3))]

    threads = [threading.Thread(target=go, args=(ranks,)) for ranks in fake_ranks(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {rank: [0, 1, 2] for rank in range(3)}
