"""Evaluations that are interrupted and gone on with, or shared among processes: the report of an unbroken one."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.example_data_set import write_data_set, write_mask_set
from tests.evaluation.example_runs import contents, everything_at_once, make_run, write_damaged_set
from tests.running.fake_store import fake_ranks
from wsloc.errors import DataError, ImageError, UsageError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_run import LiveOptions, LiveRun
from wsloc.evaluation.run_keys import BoxRule
from wsloc.evaluation.stages import Stage
from wsloc.evaluator import evaluate_into, evaluate_localization
from wsloc.loader import load
from wsloc.running.plans import FOLDER, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.evaluation.reporting import Evaluation


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_damaged_set(tmp_path / "val")


@pytest.fixture
def options(tmp_path: Path) -> LiveOptions:
    return everything_at_once(tmp_path / "tuning")


def interrupted(monkeypatch: pytest.MonkeyPatch, after: int, go: Callable[[], object]) -> None:
    """Run until so many batches are kept."""
    keep = Stage.keep
    kept: list[int] = []

    def keep_some(self: Stage, number: int, line: bytes) -> None:
        if len(kept) == after:
            raise KeyboardInterrupt
        kept.append(number)
        keep(self, number, line)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "keep", keep_some)
        with pytest.raises(KeyboardInterrupt):
            go()


# Two batches of tuning, four of scoring, seven of ten crops.
@pytest.mark.parametrize("after", [1, 4, 9])
def test_an_interrupted_evaluation_goes_on_to_the_same_bytes(
    data: Path, options: LiveOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    run = make_run(data, options)
    evaluate_into(tmp_path / "unbroken", run)
    interrupted(monkeypatch, after, lambda: evaluate_into(tmp_path / "out", run))
    assert not (tmp_path / "out/report.json").exists()
    numbers: list[int] = []
    keep = Stage.keep

    def keep_and_note(self: Stage, number: int, line: bytes) -> None:
        numbers.append(number)
        keep(self, number, line)

    monkeypatch.setattr(Stage, "keep", keep_and_note)
    evaluation = evaluate_into(tmp_path / "out", run)
    assert evaluation is not None
    assert len(evaluation.report.failures) == 1
    assert len(numbers) == 2 + 4 + 7 - after  # what was done is not done again
    assert contents(tmp_path / "out") == contents(tmp_path / "unbroken")


def test_the_report_is_that_of_an_evaluation_that_keeps_nothing(
    data: Path, options: LiveOptions, tmp_path: Path
) -> None:
    evaluate_into(tmp_path / "kept", make_run(data, options))
    evaluation = evaluate_localization(
        load("demo", device="cpu"),
        None,
        data,
        maps=options.maps,
        tune_on=options.tune_on,
        threshold_step=0.1,
        ten_crop=True,
        batch_size=2,
    )
    evaluation.write(tmp_path / "plain")
    assert contents(tmp_path / "plain") == contents(tmp_path / "kept")


@pytest.mark.parametrize("masks", [False, True])
def test_two_processes_write_the_report_of_one(
    data: Path, options: LiveOptions, tmp_path: Path, *, masks: bool
) -> None:
    if masks:
        data = write_mask_set(tmp_path / "masks", 5)
        options = LiveOptions(maps=["cam"], threshold_step=0.1, batch_size=2)
    evaluate_into(tmp_path / "one", make_run(data, options))
    found: dict[int, Evaluation | None] = {}
    shown: list[int] = []

    def go(ranks: Any) -> None:
        progress = shown.append if ranks.leads else None
        found[ranks.rank] = evaluate_into(
            tmp_path / "two", make_run(data, options), ranks=ranks, on_batch=progress
        )

    threads = [Thread(target=go, args=(ranks,)) for ranks in fake_ranks(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found[0] is not None
    assert found[1] is None
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert sum(shown) == (5 if masks else 7)


def test_other_arguments_are_refused_and_overwrite_begins_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"maps": ["cam"], "threshold_step": 0.5, "batch_size": 2}
    out = tmp_path / "out"
    run = make_run(data, LiveOptions(**settings))
    interrupted(monkeypatch, 1, lambda: evaluate_into(out, run))
    other = make_run(data, LiveOptions(**settings, rules=[BoxRule("mass", 0.5)]))
    with pytest.raises(UsageError, match=r"box rules \(threshold 0\.2 there, mass 0\.5 here\)"):
        evaluate_into(out, other)
    assert read_plan(out) is not None
    assert evaluate_into(out, other, overwrite=True) is not None
    report = contents(out)
    assert evaluate_into(out, run) is not None  # a complete report is replaced
    assert contents(out) != report


def test_pictures_that_are_all_of_another_size_leave_nothing_to_go_on_with(tmp_path: Path) -> None:
    data = tmp_path / "wsol"
    write_data_set(data, count=2)
    (data / "truth.json").write_text(
        '{"images": [{"id": 1, "file_name": "0.png", "width": 3, "height": 3},'
        ' {"id": 2, "file_name": "1.png", "width": 3, "height": 3}],'
        ' "categories": [{"id": 1, "name": "CLASS"}],'
        ' "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2]},'
        ' {"id": 2, "image_id": 2, "category_id": 1, "bbox": [0, 0, 2, 2]}]}'.replace(
            "CLASS", load("demo", device="cpu").classes.names[0]
        )
    )
    run = LiveRun.prepared(
        load("demo", device="cpu"),
        [data / "images"],
        Annotated(data / "truth.json", "coco"),
        LiveOptions(batch_size=1),
    )
    with pytest.raises(DataError, match="another version"):
        evaluate_into(tmp_path / "out", run)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_of_images_that_vanishes_is_no_failure_of_its_images(data: Path, tmp_path: Path) -> None:
    run = make_run(data, LiveOptions(maps=["cam"], threshold_step=0.5, batch_size=2))
    images = data / "images"

    def vanish(_images: int) -> None:
        if images.is_dir():
            images.rename(data / "away")

    with pytest.raises(ImageError, match="no longer there"):
        evaluate_into(tmp_path / "out", run, on_batch=vanish)
    (data / "away").rename(images)
    assert (tmp_path / "out" / FOLDER).is_dir()
    evaluation = evaluate_into(tmp_path / "out", run)
    assert evaluation is not None
    assert [failure.image for failure in evaluation.report.failures] == ["3.png"]
