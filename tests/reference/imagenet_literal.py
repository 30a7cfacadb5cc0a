"""ILSVRC's localization figures straight from their definition: one image, one guess, one box at a time.

Boxes have whole, inclusive corners here, as the annotations print them.
"""

from __future__ import annotations

from dataclasses import dataclass

Corners = tuple[int, int, int, int]  # x0, y0, x1, y1, all inclusive
Named = tuple[int, Corners]  # class index, box


@dataclass(frozen=True)
class Case:
    """One image: its classes, its true boxes, and its guesses, best first; None where it failed."""

    labels: tuple[int, ...]
    boxes: tuple[Named, ...]
    guesses: tuple[Named, ...] | None
    shared_box: Corners | None = None


def overlaps_enough(one: Corners, other: Corners) -> bool:
    """Whether the IoU is a half or more, in whole pixels."""
    across = min(one[2], other[2]) - max(one[0], other[0]) + 1
    down = min(one[3], other[3]) - max(one[1], other[1]) + 1
    common = max(across, 0) * max(down, 0)
    union = sum((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)) - common
    return 2 * common >= union


def class_is_wrong(case: Case, top: int) -> bool:
    """Whether none of the first guesses names a class of the image."""
    return not any(label in case.labels for label, _ in (case.guesses or ())[:top])


def box_is_wrong(case: Case, top: int) -> bool:
    """Whether none of the first guesses names a class of the image and overlaps any box of that class."""
    for label, guess in (case.guesses or ())[:top]:
        if label not in case.labels:
            continue
        for true_label, box in case.boxes:
            if true_label == label and overlaps_enough(guess, box):
                return False
    return True


def known_box_is_wrong(case: Case, label: int) -> bool:
    """Whether the box for a class of the image (its own, else the shared one) overlaps no box of that class."""
    if case.guesses is None:
        return True
    own = [box for guessed, box in case.guesses if guessed == label]
    if not own and case.shared_box is None:
        return True
    guess = own[0] if own else case.shared_box
    assert guess is not None
    return not any(true == label and overlaps_enough(guess, box) for true, box in case.boxes)


def has_known_box(case: Case, label: int) -> bool:
    """Whether there is a box for the class, or the image failed and none is asked for."""
    return case.guesses is None or case.shared_box is not None or label in [name for name, _ in case.guesses]
