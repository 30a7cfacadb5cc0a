"""Why a figure that a reader may look for is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.inputs.annotations.matching import first_names

if TYPE_CHECKING:
    from wsloc.evaluation.figures import RunFigures
    from wsloc.evaluation.run_keys import RunKey
    from wsloc.evaluation.scores import Scores

SHOWN = 3


def left_out(scores: Scores, run: RunKey, figures: RunFigures) -> list[str]:
    """A line for each figure that one run lacks, with the reason."""
    lines = []
    guesses = scores.guesses[run]
    needed = min(5, len(scores.classes))
    if guesses.answered.any() and guesses.fewest() < needed:
        lines.append(
            f"{run.label}: no Top-5 figures: they need {needed} guesses an image, and an image has only "
            f"{guesses.fewest()}"
        )
    if scores.no_masks:
        lines.append(f"{run.label}: no mean IoU of masks: {scores.no_masks}")
    sweep = scores.sweeps.get(run.map)
    if sweep is not None and not sweep.has_maps:
        lines.append(f"{run.label}: no mean IoU of masks: it needs a map for each class of an image")
    if not figures.counted.any():
        lines.append(f"{run.label}: no localization figures: no image that counts has a box of its class")
        return lines
    without = figures.counted & ~np.isfinite(scores.known[run]).all(axis=1)
    if without.any():
        rows = dict.fromkeys(scores.truth.label_images[without].tolist())
        lines.append(
            f"{run.label}: no GT-known figures: they need a box for every true class, and these lack one "
            f"({len(rows):,}): {first_names([scores.ids[row] for row in rows], SHOWN)}"
        )
    return lines
