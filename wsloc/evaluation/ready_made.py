"""Scores from what any system has written before: a file of guesses, or a folder of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsloc.errors import DataError, MapError
from wsloc.inputs.imagenet import imagenet_classes
from wsloc.inputs.map_files import read_map
from wsloc.metrics.imagenet import known_boxes
from wsloc.metrics.score_maps import normalized_map, resized_map, score_map
from wsloc.records import Classes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wsloc.evaluation.scores import RunKey, Scores
    from wsloc.inputs.guesses import Guesses
    from wsloc.records import Sample


def score_guesses(guesses: Iterable[Guesses], rows: Mapping[str, int], run: RunKey, scores: Scores) -> None:
    """Add guesses to the scores; images that are not among the rows are passed over, rows without any fail.

    Args:
        guesses: one an image.
        rows: image id -> row of the scores.
        run: which run they are.
        scores: of the annotated images.

    Raises:
        DataError: if the guesses are of a picture of another size than the annotations.
    """
    index = {class_id: number for number, class_id in enumerate(scores.classes.ids)}
    for guess in guesses:
        row = rows.get(guess.image)
        if row is None:
            continue
        if guess.error is not None:
            scores.fail(row, guess.error)
            continue
        if guess.image_size is not None:  # boxes of a picture of another size are of another frame
            scores.set_size(row, guess.image_size)
        labels = [index[label] for label in guess.labels]
        scores.guesses[run].put(row, labels, guess.boxes, guess.shared_box)
    failed = {failure.image for failure in scores.failures}
    for row in np.flatnonzero(~scores.guesses[run].answered).tolist():
        if scores.ids[row] not in failed:
            scores.fail(row, f"{scores.ids[row]}: has no line in the predictions")
    found = known_boxes(scores.guesses[run], scores.truth)
    if found.complete:
        scores.known[run][:] = found.boxes


def classes_of_guesses(samples: Sequence[Sample], labels: Iterable[str]) -> Classes:
    """The classes that annotations and guesses speak of.

    Where annotations are class indices and guesses wnids, the indices are those of ImageNet's sorted wnids.

    Raises:
        DataError: if annotations and guesses have no class in common.
    """
    guessed = dict.fromkeys(labels)
    annotated = dict.fromkeys(label for sample in samples for label in sample.labels)
    if guessed and not set(guessed) & set(annotated):
        imagenet = imagenet_classes()
        known = set(imagenet.ids)
        if all(label in known for label in guessed) and all(label.isdecimal() for label in annotated):
            return imagenet
        raise DataError(
            f"predictions and annotations have no class in common: {', '.join([*guessed][:3])} against "
            f"{', '.join([*annotated][:3])}"
        )
    boxes = (label for sample in samples for label, _ in sample.boxes)
    ids = tuple(dict.fromkeys([*annotated, *boxes, *guessed]))
    return Classes(ids, ids)


def score_map_files(
    paths: Mapping[str, Path], scores: Scores, *, normalize: bool = False, resize: bool = False
) -> None:
    """Score maps from files, each as the map of its image's true class.

    Args:
        paths: image id -> map file; images without a map that can be read count as wrong.
        scores: of the annotated images.
        normalize: whether to stretch each map's range to 0-1 first.
        resize: whether to bring maps of another size to 224 x 224; they cover the whole image.

    Raises:
        MapError: if a map has NaN, is of another size and not to be resized, or has values outside 0-1 and is
            not to be normalised.
        DataError: if the size of an image is not known.
    """
    name = scores.runs[0].map
    for row, image in enumerate(scores.ids):
        path = paths.get(image)
        if path is None:
            scores.fail(row, f"{image}: has no map file")
            continue
        try:
            maps = [_read(path, scores.classes.ids[label], normalize, resize) for label in scores.labels(row)]
        except DataError as error:  # this file alone: damaged, or without a map of the true class
            scores.fail(row, str(error))
            continue
        for place, values in enumerate(maps, start=scores.truth.labels_of(row).start):
            for run in scores.runs:
                if run.rule is not None:
                    scores.known[run][place] = run.rule.box(values.astype(np.float32), scores.size(row))
            scores.add_curves(row, name, place, values)


def _read(path: Path, label: str, normalize: bool, resize: bool) -> npt.NDArray[np.float64]:
    """The map (224, 224), 0-1, of one class; what can only be scored otherwise is an error with its remedy."""
    try:
        values = read_map(path, label=label)
        if resize:
            values = resized_map(values)
        return score_map(normalized_map(values) if normalize else values)
    except MapError as error:
        words = str(error).replace("ask for it to be resized", "use --resize-maps")
        raise MapError(words if str(path) in words else f"{path}: {words}") from error
