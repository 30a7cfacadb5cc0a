from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsloc.errors import OutputError, UsageError
from wsloc.evaluation.report_folder import ReportResults, require_no_interrupted_run
from wsloc.running.plans import read_plan
from wsloc.running.ranks import Ranks
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"command": "eval", "images": 4, "batch_size": 2}


def interrupt(folder: Path) -> None:
    with open_work(folder, IDENTITY, ReportResults(folder), batches=range(2), ranks=Ranks()) as work:
        assert work.journal is not None
        work.journal.write(0, [b"{}\n"])
        work.journal.close_batch({})


def test_an_earlier_report_stands_until_the_new_one_is_complete(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    interrupt(tmp_path)
    assert (tmp_path / "report.json").is_file()
    results = ReportResults(tmp_path)
    assert results.identity() is None
    assert not results.are_whole()


def test_a_report_that_a_killed_process_was_writing_goes(tmp_path: Path) -> None:
    half = tmp_path / ".999999999.partial"
    half.mkdir()
    (half / "report.json").write_text("{")
    ReportResults(tmp_path).tidy([])
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="is a file"):
        ReportResults(tmp_path / "out").clear()


def test_an_interrupted_run_is_kept_unless_it_is_given_up(tmp_path: Path) -> None:
    require_no_interrupted_run(tmp_path, overwrite=False)
    interrupt(tmp_path)
    with pytest.raises(UsageError, match=r"interrupted run of wsloc eval: .* --overwrite"):
        require_no_interrupted_run(tmp_path, overwrite=False)
    require_no_interrupted_run(tmp_path, overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_of_another_command_is_kept_in_any_case(tmp_path: Path) -> None:
    """Its files would stand beside the report, and nothing would know them."""
    boxes = {**IDENTITY, "command": "boxes"}
    with open_work(tmp_path, boxes, ReportResults(tmp_path), batches=range(2), ranks=Ranks()) as work:
        assert work.journal is not None
    for overwrite in (False, True):
        with pytest.raises(
            UsageError, match="holds results of wsloc boxes, which wsloc eval does not replace: rem"
        ):
            require_no_interrupted_run(tmp_path, overwrite=overwrite)
        with (
            pytest.raises(UsageError, match="does not replace: remove them, or name another --output"),
            open_work(
                tmp_path,
                IDENTITY,
                ReportResults(tmp_path),
                batches=range(2),
                ranks=Ranks(),
                overwrite=overwrite,
            ),
        ):
            pass
    assert read_plan(tmp_path) == boxes
