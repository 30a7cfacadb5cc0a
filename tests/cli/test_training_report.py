"""What is shown of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from wsloc.cli.console import Talk
from wsloc.cli.training_report import TrainingWatch, report_training, words_of
from wsloc.training.files import TrainingFiles
from wsloc.training.records import EpochFigures, StepReport

if TYPE_CHECKING:
    import pytest

FIRST = EpochFigures(0, 0.1, 0.5, 0.25, 3.0, {"L_am": 0.125}, validation_loss=0.6, validation_error=0.5)
SECOND = EpochFigures(1, 0.1, 0.4, 0.2, 3.4, {}, validation_loss=0.7, validation_error=0.6)


def test_an_epoch_in_words() -> None:
    assert words_of(FIRST) == "loss 0.5000, error 25.0%, validation error 50.0%, L_am 0.1250"


def test_progress_counts_the_images_of_the_epochs_ahead(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, str, int]] = []
    watch = TrainingWatch(
        Talk(as_json=False, quiet=False, verbose=False),
        lambda images, words, total: seen.append((images, words, total)),
    )
    watch.start((FIRST,), 3)
    watch.step(StepReport(1, 1, 5, 8, 0.25))
    watch.epoch(SECOND)
    assert seen == [(8, "epoch 2/3  loss 0.250", 8 * 5 * 2)]
    assert watch.history == [FIRST, SECOND]
    said = capsys.readouterr().err
    assert "going on after epoch 1/3" in said
    assert "epoch 2/3, loss 0.4000, error 20.0%, validation error 60.0%, 3 s" in said


def test_the_document_names_the_kept_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    files = TrainingFiles(Path("net.pt"))
    report_training(Talk(as_json=True, quiet=False, verbose=False), files, [FIRST, SECOND])
    document = json.loads(capsys.readouterr().out)
    assert (document["checkpoint"], document["kept_epoch"], len(document["epochs"])) == ("net.pt", 0, 2)
    report_training(Talk(as_json=True, quiet=False, verbose=False), files, [])
    assert json.loads(capsys.readouterr().out)["kept_epoch"] is None
