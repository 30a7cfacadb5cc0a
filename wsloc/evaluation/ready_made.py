"""Scores from what any system has written before: a file of guesses, or a folder of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError, MapError
from wsloc.evaluation.size_check import SizeCheck
from wsloc.inputs.map_files import read_map
from wsloc.metrics.score_maps import PROTOCOL_SIDE, normalized_map, resized_map, score_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wsloc.evaluation.run_keys import RunKey
    from wsloc.evaluation.scores import Scores
    from wsloc.inputs.guesses import Guesses

    Map = npt.NDArray[np.float64]


def score_guesses(
    guesses: Iterable[Guesses],
    rows: Mapping[str, int],
    run: RunKey,
    scores: Scores,
    class_numbers: Mapping[str, int],
) -> None:
    """Add guesses to the scores; images that are not among the rows are passed over, rows without any fail.

    Args:
        guesses: one an image.
        rows: image id -> row of the scores.
        run: which run they are.
        scores: of the annotated images.
        class_numbers: class id of the guesses -> class index of the scores.

    Raises:
        DataError: if all guesses are of pictures of another size than the annotations; a few of them fail.
    """
    sizes = SizeCheck(scores)
    for guess in guesses:
        row = rows.get(guess.image)
        if row is None:
            continue
        if guess.error is not None:
            scores.fail(row, guess.error)
            continue
        # Boxes of a picture of another size are of another frame.
        where = f"{guess.where or 'the predictions'}: the boxes are of a picture of"
        if guess.image_size is not None and not sizes.fits(row, guess.image_size, where):
            continue
        labels = [class_numbers[label] for label in guess.labels]
        scores.guesses[run].put(row, labels, guess.boxes, guess.shared_box)
        # The table keeps five guesses, as ILSVRC judges; where the class is given, its box may stand further on.
        first = dict(zip(reversed(labels), reversed(guess.boxes), strict=True))
        for place, label in enumerate(scores.labels(row), start=scores.truth.labels_of(row).start):
            if (box := first.get(label, guess.shared_box)) is not None:
                scores.known[run][place] = box
    sizes.require_any()
    failed = {failure.image for failure in scores.failures}
    for row in np.flatnonzero(~scores.guesses[run].answered).tolist():
        if scores.ids[row] not in failed:
            scores.fail(row, f"{scores.ids[row]}: has no line in the predictions")


def score_map_files(
    paths: Mapping[str, Path],
    scores: Scores,
    *,
    normalize: bool = False,
    resize: bool = False,
    broken: Mapping[str, str] | None = None,
) -> None:
    """Score maps from files, each as the map of its image's true class.

    Args:
        paths: image id -> map file; images without a map that can be read count as wrong.
        scores: of the annotated images.
        normalize: whether to stretch each map's range to 0-1 first.
        resize: whether to bring maps of another size to 224 x 224; they cover the whole image.
        broken: image id -> error, of pictures whose size is needed and cannot be read.

    Raises:
        MapError: if a map has NaN, is of another size and not to be resized, or has values outside 0-1 and is
            not to be normalised.
        DataError: if the size of no image is known; where that of a few is not, they fail.
    """
    broken = broken or {}
    if not broken and not scores.truth.image_sizes.any():
        scores.size(0)
    name = scores.runs[0].map
    for row, image in enumerate(scores.ids):
        path = paths.get(image)
        if path is None:
            scores.fail(row, f"{image}: has no map file")
            continue
        if image in broken:
            scores.fail(row, broken[image])
            continue
        try:
            size = scores.size(row)
            # By the annotation's own label: an index means an output of whatever made the maps.
            maps = [read_map(path, label=label) for label in scores.samples[row].labels]
        except DataError as error:  # this image alone: no size, a damaged file, or no map of the true class
            scores.fail(row, str(error))
            continue
        if scores.sweeps and scores.samples[row].masks:
            _score_masks(path, row, name, [_in_range(path, found, normalize) for found in maps], scores)
        if scores.has_boxes or scores.pixels:
            resized = (resized_map(found) if resize else found for found in maps)
            found = [_in_range(path, values, normalize, PROTOCOL_SIDE) for values in resized]
            _score_boxes(row, name, found, scores, size)


def _score_boxes(row: int, name: str, maps: Sequence[Map], scores: Scores, size: tuple[int, int]) -> None:
    """Score an image's maps (224, 224), one a label, against its boxes, or the mask of its object."""
    for place, values in enumerate(maps, start=scores.truth.labels_of(row).start):
        for run in scores.runs:
            if run.rule is not None:
                scores.known[run][place] = run.rule.box(values.astype(np.float32), size)
        scores.add_curves(row, name, place, values)


def _score_masks(path: Path, row: int, name: str, maps: Sequence[Map], scores: Scores) -> None:
    """Score an image's maps against its mask; one map for several classes cannot tell them apart."""
    first = maps[0]
    if len(maps) > 1 and first.any() and all(np.array_equal(first, other) for other in maps):
        scores.give_up_masks(f"{path} holds one map for the {len(maps)} classes of its image")
    scores.add_masks(row, name, dict(zip(scores.labels(row), maps, strict=True)))


def _in_range(path: Path, values: Map, normalize: bool, side: int | None = None) -> Map:
    """A map (side, side), or of any size, in 0-1; what can only be scored otherwise is an error with its remedy."""
    try:
        return score_map(normalized_map(values) if normalize else values, side)
    except MapError as error:
        words = str(error).replace("ask for it to be resized", "use --resize-maps")
        raise MapError(f"{path}: {words}") from error
