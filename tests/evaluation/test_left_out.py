from __future__ import annotations

import math
from pathlib import Path

from wsloc.evaluation.figures import run_figures
from wsloc.evaluation.left_out import left_out
from wsloc.evaluation.run_keys import RunKey
from wsloc.evaluation.scores import Scores
from wsloc.records import Box, Classes, Sample

CLASSES = Classes(("cat", "dog"), ("cat", "dog"))
BOX: Box = (0.0, 0.0, 10.0, 10.0)
RUN = RunKey("file", None)


def lines(known: list[Box], guesses: int, boxes: tuple[tuple[str, Box], ...]) -> list[str]:
    pairs = [(name, Sample(name, None, ("dog",), (20, 20), boxes)) for name in "ab"]
    scores = Scores(pairs, CLASSES, [RUN], with_maps=False)
    for row in range(2):
        scores.guesses[RUN].put(row, [0, 1][:guesses], [BOX, BOX][:guesses])
        scores.known[RUN][row] = known[row]
    return left_out(scores, RUN, run_figures(scores, RUN, frozenset()))


def test_every_missing_figure_has_its_reason() -> None:
    nan = (math.nan,) * 4
    found = (("dog", BOX),)
    assert lines([BOX, BOX], 2, found) == []
    (line,) = lines([BOX, nan], 2, found)
    assert line == (
        "file: no GT-known figures: they need a box for every true class, and these lack one (1): b"
    )
    (line,) = lines([BOX, BOX], 1, found)
    assert line == "file: no Top-5 figures: they need 2 guesses an image, and an image has only 1"
    (line,) = lines([nan, nan], 2, ())
    assert line == "file: no localization figures: no image that counts has a box of its class"


def test_masks_that_could_not_be_scored_have_their_reason() -> None:
    masked = Sample("a", None, ("dog",), (20, 20), (("dog", BOX),), (Path("a.png"),), ((1, "dog"),))
    run = RunKey("maps", None)
    scores = Scores([("a", masked)], CLASSES, [run], threshold_step=0.5)
    scores.guesses[run].put(0, [1, 0], [BOX, BOX])
    scores.known[run][0] = BOX

    def masks() -> list[str]:
        return left_out(scores, run, run_figures(scores, run, frozenset()))

    assert masks() == ["maps: no mean IoU of masks: it needs a map for each class of an image"]
    scores.give_up_masks("a.npy holds one map for 2 classes")
    scores.give_up_masks("another")
    assert masks() == ["maps: no mean IoU of masks: a.npy holds one map for 2 classes"]
