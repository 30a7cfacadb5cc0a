from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.evaluation.example_data_set import write_data_set
from wsloc.errors import DataError
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_run import LiveOptions, LiveRun, default_rule
from wsloc.evaluation.run_keys import BoxRule, RunKey
from wsloc.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    from wsloc.localizer import Localizer


@pytest.fixture(scope="module")
def localizer() -> Localizer:
    return load("demo", device="cpu")


def prepared(localizer: Localizer, data: Path, **options: Any) -> LiveRun:
    return LiveRun.prepared(localizer, None, Annotated(data), LiveOptions(**options))


def test_batches_of_scoring_tuning_and_ten_crops(localizer: Localizer, tmp_path: Path) -> None:
    data, other = write_data_set(tmp_path / "val", count=7), write_data_set(tmp_path / "other", count=3)
    assert prepared(localizer, data, batch_size=2).counts == (4, 0, 0)
    options = {"batch_size": 20, "ten_crop": True, "tune_on": Annotated(other)}
    assert prepared(localizer, data, **options).counts == (1, 1, 4)


def test_each_map_has_its_own_rule(localizer: Localizer, tmp_path: Path) -> None:
    run = prepared(localizer, write_data_set(tmp_path / "val", count=1), maps=["cam", "entropy-class", "cam"])
    assert run.runs == (
        RunKey("cam", BoxRule("threshold", 0.2)),
        RunKey("entropy-class", BoxRule("mass", 0.98)),
    )
    assert default_rule("cam") == BoxRule("threshold", 0.2)


def test_what_does_not_fit_is_found_out_before_the_work(localizer: Localizer, tmp_path: Path) -> None:
    data, other = write_data_set(tmp_path / "val", count=2), write_data_set(tmp_path / "other", count=2)
    (other / "labels.csv").write_text("image,label\n0.png,fish\n")
    tune_on, tune_images = Annotated(other / "labels.csv"), [other / "images"]
    with pytest.raises(DataError):
        prepared(localizer, data, tune_on=tune_on, tune_images=tune_images)
    table = data / "val_annotations.txt"
    table.write_text(table.read_text().replace("\t", "\tno-such-", 1))
    with pytest.raises(DataError, match="no-such-"):
        prepared(localizer, data)


def test_scored_in_one_process(localizer: Localizer, tmp_path: Path) -> None:
    data = write_data_set(tmp_path / "val", count=5)
    done: list[int] = []
    run = prepared(localizer, data, maps=["cam"], batch_size=2, threshold_step=0.5)
    report = run.evaluation(run.score(done.append)).report
    assert done == [2, 2, 1]
    assert report.counts["annotated"] == 5
