"""Scores from live images: one forward pass a batch, whatever the number of maps and rules."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from wsloc.choice import Choice
from wsloc.errors import DataError, MapError
from wsloc.evaluation.scores import TOP, SizeCheck
from wsloc.inputs.loading import LoadedImage, load_batches
from wsloc.methods import MAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from wsloc.evaluation.scores import Scores
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile

    Cells = npt.NDArray[np.float32]
    Seen = dict[
        str, tuple[list[int], Mapping[int, Cells] | Cells]
    ]  # map -> best classes, maps by class or one


def score_images(
    localizer: Localizer,
    files: Sequence[ImageFile],
    scores: Scores,
    *,
    batch_size: int = 16,
    workers: int = 0,
    on_batch: Callable[[int], None] | None = None,
) -> None:
    """Run images through the network and add what comes out to the scores.

    A batch is scored in a thread of its own while the next one goes through the network: for small networks the
    curves take longer than the network does. One thread, so that the scores are added in the images' order. The
    thread that calls this one only notes sizes, of rows whose turn is still to come: failures, too, are added in
    the other.

    Args:
        localizer: from `wsloc.load`.
        files: the images, in the order of the scores' rows.
        scores: of these images; tells which maps and rules.
        batch_size: images through the network at once.
        workers: processes that decode and resize.
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if no picture is of the size that its annotation says; a few such pictures count as failed.
        UnsupportedError: if a map does not fit the network.
    """
    maps = tuple(dict.fromkeys(run.map for run in scores.runs))
    done = 0
    sizes = SizeCheck(scores)
    before: Future[None] | None = None
    with ThreadPoolExecutor(1) as scorer:
        for batch in load_batches(files, localizer.preprocessing, batch_size=batch_size, workers=workers):
            found: list[tuple[int, Seen | str]] = []
            groups: dict[tuple[int, ...], list[tuple[int, LoadedImage]]] = defaultdict(list)
            for row, item in enumerate(batch, start=done):
                error = sizes.error(row, item.image_size) if isinstance(item, LoadedImage) else item.error
                if error is not None:
                    found.append((row, error))
                elif isinstance(item, LoadedImage):
                    groups[item.pixels.shape].append((row, item))
            for members in groups.values():
                found += _observe_equal(localizer, members, maps, scores)
            if before is not None:
                before.result()
            before = scorer.submit(_add, scores, found)
            done += len(batch)
            if on_batch is not None:
                on_batch(len(batch))
        if before is not None:
            before.result()
    sizes.require_any()


def _add(scores: Scores, found: Sequence[tuple[int, Seen | str]]) -> None:
    """Add what was seen in some images, or why nothing was, to the scores."""
    for row, seen in found:
        if isinstance(seen, str):
            scores.fail(row, seen)
            continue
        for name, (top, cells) in seen.items():
            try:
                scores.add_maps(row, name, top, cells)
            except MapError as error:
                raise DataError(f"{scores.ids[row]}: {error}") from error


def _observe_equal(
    localizer: Localizer, members: list[tuple[int, LoadedImage]], maps: Sequence[str], scores: Scores
) -> list[tuple[int, Seen | str]]:
    """What the network sees in images whose inputs are of one size, by row."""
    labels = [scores.labels(row) for row, _ in members]
    choice = Choice(TOP, labels, alone=scores.with_guesses and scores.has_boxes)
    observed = localizer.observe([image for _, image in members], maps, choice)
    top = min(TOP, len(localizer.classes))
    seen: list[tuple[int, Seen | str]] = []
    for n, (row, _) in enumerate(members):
        by_name: Seen = {}
        for name, found in observed.items():
            indices = [int(index) for index in found.class_index[n]]
            cells = (
                dict(zip(indices, found.maps[n], strict=True)) if MAPS[name].per_class else found.maps[n, 0]
            )
            by_name[name] = (indices[:top], cells)
        seen.append((row, by_name))
    return seen
