"""A look at every step of a training for what spoils it without a NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.training.records import StepReport

STEPS = 20  # in a row: single batches of blank pictures are no collapse
SHARE = 0.5  # of a batch
# What a method logs, 0-1, and what it means if it stays above SHARE.
COLLAPSES = {
    "equal_entropies": f"lambda has collapsed: for {STEPS} steps all entropies of most images have been equal, so that "
    "Entropy Pooling is plain average pooling (an image size with a grid of 1 x 1, a trunk without signal, or too high "
    "a learning rate)",
    "empty_supervised": f"the attention has died out: for {STEPS} steps it has been zero everywhere in most of the "
    "images with masks or boxes, which teach it nothing then: give a lower --extra-weight or --learning-rate",
}


class CollapseWatch:
    """Says once of each of `COLLAPSES` that it has lasted for many steps.

    Args:
        on_step: called after each step, too.
        on_warning: called with the warning.
    """

    def __init__(
        self, on_step: Callable[[StepReport], None] | None, on_warning: Callable[[str], None] | None
    ) -> None:
        self.on_step = on_step
        self.on_warning = on_warning
        self.in_a_row = dict.fromkeys(COLLAPSES, 0)

    def step(self, report: StepReport) -> None:
        """Take note of a step, and pass it on."""
        for name, warning in COLLAPSES.items():
            lasting = report.logs.get(name, 0.0) >= SHARE
            self.in_a_row[name] = self.in_a_row[name] + 1 if lasting else 0
            if self.in_a_row[name] == STEPS and self.on_warning is not None:
                self.on_warning(warning)
        if self.on_step is not None:
            self.on_step(report)
