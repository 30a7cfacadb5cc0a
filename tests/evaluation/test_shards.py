"""Shards of an evaluation: the report that is made of them is that of one run."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.example_data_set import write_mask_set
from tests.evaluation.example_runs import contents, everything_at_once, make_run, write_damaged_set
from wsloc.errors import RunError, UsageError
from wsloc.evaluation.live_run import LiveOptions
from wsloc.evaluation.report_folder import REPORT, SCORES
from wsloc.evaluation.shards import ShardSummary, evaluate_shard, join_shards
from wsloc.evaluation.stages import Stage
from wsloc.evaluator import evaluate_into
from wsloc.outputs.shard_folders import read_shards
from wsloc.running.plans import read_plan
from wsloc.running.shards import Shard

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_damaged_set(tmp_path / "val")


@pytest.fixture
def options(tmp_path: Path) -> LiveOptions:
    return everything_at_once(tmp_path / "tuning")


def score(data: Path, options: LiveOptions, folder: Path, count: int, **others: Any) -> list[Path]:
    """Folders of all shards."""
    for number in range(1, count + 1):
        run = make_run(data, replace(options, shard=Shard(number, count), **others))
        assert evaluate_shard(folder / f"s{number}", run) is not None
    return [folder / f"s{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [2, 6])
@pytest.mark.parametrize("masks", [False, True])
def test_the_report_of_shards_is_that_of_one_run(
    data: Path, options: LiveOptions, tmp_path: Path, *, count: int, masks: bool
) -> None:
    """Six shards of four batches: two of them are left nothing but the tuning set and crops."""
    if masks:
        data = write_mask_set(tmp_path / "masks", 5)
        options = LiveOptions(maps=["cam"], threshold_step=0.1, batch_size=2)
    evaluate_into(tmp_path / "one", make_run(data, options))
    shards = read_shards(score(data, options, tmp_path, count)[::-1])
    evaluation = join_shards(shards, tmp_path / "joined", make_run(data, options))
    assert contents(tmp_path / "joined") == contents(tmp_path / "one")
    assert len(evaluation.report.failures) == (0 if masks else 1)


def test_a_shard_tells_what_it_did(data: Path, options: LiveOptions, tmp_path: Path) -> None:
    shown: list[int] = []
    run = make_run(data, replace(options, shard=Shard(2, 2)))
    summary = evaluate_shard(tmp_path / "s2", run, on_batch=shown.append)
    assert isinstance(summary, ShardSummary)
    assert (summary.images, summary.skipped, sum(shown)) == (3, 0, 3)  # of 7 in twos: 2, 3 and 6
    assert [failure.image for failure in summary.failures] == ["3.png"]
    assert [file.image for file in run.own_files] == ["2.png", "3.png", "6.png"]
    manifest = json.loads(summary.manifest.read_text())
    assert manifest["counts"] == {"images": 3, "done": 2, "failed": 1}
    assert manifest["run"]["shard"] == "2/2"


def test_a_complete_shard_is_not_done_again_unless_something_has_changed(
    data: Path, options: LiveOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = make_run(data, replace(options, shard=Shard(1, 2))), tmp_path / "s1"
    evaluate_shard(folder, run)
    lines, kept, keep = (folder / SCORES).read_bytes(), list[int](), Stage.keep

    def keep_and_note(self: Stage, number: int, line: bytes) -> None:
        kept.append(number)
        keep(self, number, line)

    monkeypatch.setattr(Stage, "keep", keep_and_note)
    again = evaluate_shard(folder, run)
    assert again is not None
    assert (again.images, again.skipped, kept, again.failures) == (4, 4, [], ())
    for damage in (lines[:-7], b"", lines.replace(b"rows", b"ROWS"), None):
        (folder / SCORES).unlink()
        if damage is not None:
            (folder / SCORES).write_bytes(damage)
        evaluate_shard(folder, run)
        assert (folder / SCORES).read_bytes() == lines
    before = len(kept)
    later = (folder / "manifest.json").stat().st_mtime + 5
    os.utime(data / "images/0.png", (later, later))
    evaluate_shard(folder, run)
    assert len(kept) > before


def test_an_interrupted_shard_is_gone_on_with(
    data: Path, options: LiveOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_into(tmp_path / "one", make_run(data, options))
    first = make_run(data, replace(options, shard=Shard(1, 2)))
    keep = Stage.keep

    def keep_one(self: Stage, number: int, line: bytes) -> None:
        keep(self, number, line)
        if self.first == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "keep", keep_one)
        with pytest.raises(KeyboardInterrupt):
            evaluate_shard(tmp_path / "s1", first)
    assert read_plan(tmp_path / "s1") is not None
    with pytest.raises(RunError, match="s1 is unfinished: run its command again, then merge"):
        read_shards([tmp_path / "s1"])
    summary = evaluate_shard(tmp_path / "s1", first)
    assert summary is not None
    assert summary.skipped == 2
    evaluate_shard(tmp_path / "s2", make_run(data, replace(options, shard=Shard(2, 2))))
    shards = read_shards([tmp_path / "s1", tmp_path / "s2"])
    join_shards(shards, tmp_path / "joined", make_run(data, options))
    assert contents(tmp_path / "joined") == contents(tmp_path / "one")


def test_other_shards_and_other_runs_are_refused(data: Path, tmp_path: Path) -> None:
    options = LiveOptions(maps=["cam"], threshold_step=0.5, batch_size=2)
    first, second = score(data, options, tmp_path, 2)
    with pytest.raises(UsageError, match=r"shard \(1/2 there, 2/2 here\)"):
        evaluate_shard(first, make_run(data, replace(options, shard=Shard(2, 2))))
    with pytest.raises(RunError, match="shard 2/2 is missing"):
        read_shards([first])
    _, other = score(data, replace(options, threshold_step=0.25), tmp_path / "other", 2)
    with pytest.raises(RunError, match=r"threshold step \(0\.5 there, 0\.25 here\)"):
        read_shards([first, other])
    shards = read_shards([first, second])
    with pytest.raises(RunError, match=r"s1 was scored with something else .*threshold step"):
        join_shards(shards, tmp_path / "out", make_run(data, replace(options, threshold_step=0.25)))
    table = data / "val_annotations.txt"
    name, label, _, *box = table.read_text().splitlines()[0].split("\t")
    rest = table.read_text().splitlines()[1:]
    table.write_text("\n".join(["\t".join([name, label, "0", *box]), *rest]) + "\n")
    with pytest.raises(RunError, match=r"s1 was scored with something else .*annotations"):
        join_shards(shards, tmp_path / "out", make_run(data, options))
    assert not (tmp_path / "out").exists()


def test_a_damaged_shard_is_named(data: Path, tmp_path: Path) -> None:
    options = LiveOptions(maps=["cam"], threshold_step=0.5, batch_size=2)
    folders = score(data, options, tmp_path, 2)
    shards, run = read_shards(folders), make_run(data, options)
    path = folders[1] / SCORES
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"s2/scores\.jsonl is not as it was written: run the command of that"):
        join_shards(shards, tmp_path / "out", run)
    path.unlink()
    with pytest.raises(
        RunError, match=r"cannot read .*s2/scores\.jsonl: No such file .*: run the command of"
    ):
        join_shards(shards, tmp_path / "out", run)


def test_a_folder_holds_a_shard_or_a_report(data: Path, tmp_path: Path) -> None:
    options = LiveOptions(maps=["cam"], threshold_step=0.5, batch_size=2)
    whole, shard = make_run(data, options), make_run(data, replace(options, shard=Shard(1, 2)))
    evaluate_shard(tmp_path / "out", shard)
    with pytest.raises(UsageError, match=r"holds the results of another run, shard \(1/2 there, None here\)"):
        evaluate_into(tmp_path / "out", whole)
    evaluate_into(tmp_path / "out", whole, overwrite=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*REPORT}
    with pytest.raises(UsageError, match="holds results of a run whose arguments are not known"):
        evaluate_shard(tmp_path / "out", shard)
    evaluate_shard(tmp_path / "out", shard, overwrite=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {SCORES, "manifest.json"}
