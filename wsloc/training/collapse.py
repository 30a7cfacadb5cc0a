"""A look at every step of a training for what spoils it without a NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsloc.training.records import StepReport

STEPS = 20  # in a row: single batches of blank pictures are no collapse
SHARE = 0.5  # of the images of a batch


class CollapseWatch:
    """Says once when lambda has collapsed: when all entropies of most images have been equal for many steps.

    Lambda is then 1 everywhere, and Entropy Pooling is global average pooling.

    Args:
        on_step: called after each step, too.
        on_warning: called with the warning.
    """

    def __init__(
        self, on_step: Callable[[StepReport], None] | None, on_warning: Callable[[str], None] | None
    ) -> None:
        self.on_step = on_step
        self.on_warning = on_warning
        self.in_a_row = 0

    def step(self, report: StepReport) -> None:
        """Take note of a step, and pass it on."""
        equal = report.logs.get("equal_entropies", 0.0)
        self.in_a_row = self.in_a_row + 1 if equal >= SHARE else 0
        if self.in_a_row == STEPS and self.on_warning is not None:
            self.on_warning(
                f"lambda has collapsed: for {STEPS} steps all entropies of most images have been equal, so that "
                "Entropy Pooling is plain average pooling (an image size with a grid of 1 x 1, a trunk without "
                "signal, or too high a learning rate)"
            )
        if self.on_step is not None:
            self.on_step(report)
