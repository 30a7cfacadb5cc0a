"""What `wsloc train` shows: a line an epoch while it runs, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsloc.cli.console import Talk
    from wsloc.training.files import TrainingFiles
    from wsloc.training.records import EpochFigures, StepReport


class TrainingWatch:
    """What is shown of a training while it runs."""

    def __init__(self, talk: Talk, advance: Callable[..., None]) -> None:
        self.talk = talk
        self.advance = advance
        self.epochs = self.ahead = 0
        self.history: list[EpochFigures] = []

    def start(self, history: Sequence[EpochFigures], epochs: int) -> None:
        """Epochs that are done before this command begins, of how many."""
        self.history += history
        self.epochs, self.ahead = epochs, epochs - len(history)
        if history and self.ahead:
            self.talk.note(f"going on after epoch {len(history)}/{epochs}")

    def step(self, report: StepReport) -> None:
        """A step is done."""
        self.advance(
            report.images,
            f"epoch {report.epoch + 1}/{self.epochs}  loss {report.loss:.3f}",
            total=report.images * report.steps * self.ahead,
        )

    def epoch(self, figures: EpochFigures) -> None:
        """An epoch is done."""
        self.history.append(figures)
        self.talk.note(
            f"epoch {figures.epoch + 1}/{self.epochs}, {words_of(figures)}, {figures.seconds:.0f} s"
        )


def words_of(figures: EpochFigures) -> str:
    """What an epoch came to."""
    words = [f"loss {figures.train_loss:.4f}", f"error {figures.train_error:.1%}"]
    if figures.validation_error is not None:
        words.append(f"validation error {figures.validation_error:.1%}")
    words += [f"{name} {value:.4f}" for name, value in figures.extra.items()]
    return ", ".join(words)


def report_training(talk: Talk, files: TrainingFiles, history: Sequence[EpochFigures]) -> None:
    """The line, or the JSON document, on stdout."""
    from wsloc.training.records import kept_epoch

    kept = kept_epoch(history) if history else None  # the figures of a complete training may be gone
    if kept is not None:
        talk.line(f"{files.output}: epoch {kept.epoch + 1} of {len(history)}, {words_of(kept)}")
    talk.document(
        {
            "checkpoint": str(files.output),
            "metrics": str(files.metrics),
            "curve": str(files.curve),
            "kept_epoch": None if kept is None else kept.epoch,
            "epochs": [figures.to_dict() for figures in history],
        }
    )
