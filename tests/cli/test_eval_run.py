from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.test_network import ARGUMENTS
from tests.evaluation.example_data_set import write_data_set
from wsloc.cli.eval_run import asked_run
from wsloc.cli.map_options import MapName
from wsloc.errors import UsageError
from wsloc.evaluation.live_identity import live_identity
from wsloc.running.shards import Shard

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, Any]:
    """As the command has them."""
    data = write_data_set(tmp_path / "val", count=4)
    none = (
        "images",
        "blacklist",
        "classes",
        "layer",
        "compare",
        "mass",
        "excess",
        "shard",
        "tune_images",
        "model",
    )
    return {
        **ARGUMENTS,
        **dict.fromkeys(none),
        "weights": "DEFAULT",
        "checkpoint": "demo",
        "annotations": data,
        "annotation_format": "auto",
        "map_name": MapName.cam,
        "map_threshold": "0.2,0.3",
        "tune_on": data,
        "tune_format": "auto",
        "threshold_step": 0.25,
        "ten_crop": True,
        "batch_size": 2,
        "workers": 0,
    }


def test_what_a_manifest_keeps_is_what_was_asked(arguments: dict[str, Any]) -> None:
    typed = asked_run(arguments)
    plain = asked_run(json.loads(json.dumps(arguments, default=str)))
    assert live_identity(plain.run) == live_identity(typed.run)
    assert [key.box for key in typed.run.runs] == ["threshold 0.2", "threshold 0.3"]
    assert typed.run.counts == (2, 2, 4)
    assert (typed.model, typed.checkpoint) == (None, plain.checkpoint)
    assert typed.run.tuning is not None


def test_a_shard_is_of_the_run(arguments: dict[str, Any]) -> None:
    run = asked_run({**arguments, "shard": "2/2"}).run
    assert run.options.shard == Shard(2, 2)
    assert [file.image for file in run.own_files] == ["2.png", "3.png"]
    assert run.batches == (1, 2, 3, 5, 7)


def test_the_device_may_be_another(arguments: dict[str, Any]) -> None:
    asked = asked_run({**arguments, "device": "cuda:77"}, idle=True)
    assert asked.run.localizer.device.type == "cpu"
    assert (asked.run.options.arguments or {})["device"] == "cuda:77"


def test_options_that_do_not_go_together_are_refused(arguments: dict[str, Any]) -> None:
    for wrong, words in (
        ({"compare": "cam"}, "--map and --compare exclude one another"),
        ({"map_threshold": "2"}, "--map-threshold: 2 is not a fraction"),
        ({"shard": "3/2"}, "--shard is I/N"),
        ({"classes": ","}, "names no class"),
    ):
        with pytest.raises(UsageError, match=words):
            asked_run({**arguments, **wrong})
