"""Evaluations of live images by the demo checkpoint, and what they leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.evaluation.example_data_set import write_data_set
from wsloc.evaluation.annotated import Annotated
from wsloc.evaluation.live_run import LiveOptions, LiveRun
from wsloc.loader import load

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("images.csv", "report.html", "report.json")


def write_damaged_set(folder: Path) -> Path:
    """Seven images, one of which cannot be read."""
    write_data_set(folder, count=7)
    (folder / "images/3.png").write_bytes(b"no picture")
    return folder


def everything_at_once(tuning: Path) -> LiveOptions:
    """Two maps, a tuning set of three images, which is written, and ten crops: in batches of two."""
    return LiveOptions(
        maps=["cam", "entropy-class"],
        tune_on=Annotated(write_data_set(tuning, count=3, seed=5)),
        threshold_step=0.1,
        ten_crop=True,
        batch_size=2,
    )


def make_run(data: Path, options: LiveOptions) -> LiveRun:
    """An evaluation, prepared."""
    return LiveRun.prepared(load("demo", device="cpu"), None, Annotated(data), options)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a report, beside which nothing stands."""
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    return {name: (folder / name).read_bytes() for name in FILES}
