"""The picture of a training: losses and errors against epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsloc.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PANELS = {
    "loss": {"train_loss": "training (augmented)", "validation_loss": "validation"},
    "error": {"train_error": "training (augmented)", "validation_error": "validation"},
}
COLOURS = ("#0072B2", "#D55E00")  # Okabe and Ito: told apart by colour-blind readers


def save_training_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw loss and error of each epoch, as PNG; written whole or not at all.

    Args:
        history: one record an epoch, with `epoch` (from 0; drawn from 1) and whatever of `PANELS` there is.
        path: the file.

    Raises:
        OutputError: if the file cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second that only trainings pay

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, (title, lines) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for colour, (key, label) in zip(COLOURS, lines.items(), strict=True):
            points = [(record["epoch"] + 1, record[key]) for record in history if key in record]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, label=label, marker=".")
        axes.set(title=title, xlabel="epoch")
        highest = max((value for line in axes.lines for value in line.get_ydata()), default=0)
        axes.set_ylim(0, 1.05 * highest or 1)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)
