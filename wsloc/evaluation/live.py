"""Scores from live images: one forward pass a batch, whatever the number of maps and rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from wsloc.choice import Choice
from wsloc.errors import DataError, MapError
from wsloc.evaluation.parts import add_part, take_part
from wsloc.evaluation.scores import TOP
from wsloc.evaluation.size_check import SizeCheck
from wsloc.inputs.loading import LoadedImage, decoding_seconds, load_batches
from wsloc.inputs.presence import Presence
from wsloc.methods import MAPS
from wsloc.records import Failure
from wsloc.running.shards import count_batches
from wsloc.running.stages import DECODE, SCORES, WAIT_FOR_DECODE, WAIT_FOR_SCORES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from wsloc.evaluation.scores import Scores
    from wsloc.evaluation.stages import Stage
    from wsloc.inputs.loading import LoadedBatch
    from wsloc.localizer import Localizer
    from wsloc.records import ImageFile
    from wsloc.running.stages import Stages

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
    stage: Stage | None = None,
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
        stage: where batches are kept, of which this process does its share: what they come to is not in the scores
            then, before `add_kept` adds it; None to do all of them.
        on_batch: called with the number of images done since the last call.

    Raises:
        DataError: if no picture is of the size that its annotation says; a few such pictures count as failed.
        UnsupportedError: if a map does not fit the network.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        OutputError: if a batch cannot be kept.
    """
    numbers = range(count_batches(len(files), batch_size)) if stage is None else stage.todo
    sizes, presence = SizeCheck(scores), Presence(files)
    before: Future[None] | None = None
    batches = load_batches(
        files, localizer.preprocessing, batch_size=batch_size, workers=workers, numbers=numbers
    )
    stages = localizer.stages
    with ThreadPoolExecutor(1) as scorer:
        for number, batch in zip(numbers, stages.waiting(WAIT_FOR_DECODE, batches), strict=True):
            stages.add(DECODE, decoding_seconds(batch))
            rows = range(number * batch_size, number * batch_size + len(batch))
            for row, item in zip(rows, batch, strict=True):
                if isinstance(item, Failure):
                    presence.require(files[row])
            own_sizes = SizeCheck(scores)
            found = _observe(localizer, rows, batch, scores, own_sizes)
            sizes.merge(own_sizes.fitting, own_sizes.others)
            keep = None if stage is None else partial(_keep, stage, number, scores, rows, own_sizes)
            with stages.measure(WAIT_FOR_SCORES):
                if before is not None:
                    before.result()
            before = scorer.submit(_add, scores, found, stages, keep)
            if on_batch is not None:
                on_batch(len(batch))
        with stages.measure(WAIT_FOR_SCORES):
            if before is not None:
                before.result()
    if stage is None:
        sizes.require_any()


def add_kept(scores: Scores, stage: Stage) -> None:
    """Add what all batches of a stage have come to, in whichever process, to the scores.

    Args:
        scores: of the stage's images, as `score_images` left them.
        stage: that all processes have done.

    Raises:
        DataError: if no picture is of the size that its annotation says, or a batch cannot be read.
        RunError: if some batches were not done.
    """
    sizes = SizeCheck(scores)
    for line in stage.lines():
        add_part(scores, line, sizes)
    sizes.require_any()


def _keep(stage: Stage, number: int, scores: Scores, rows: range, sizes: SizeCheck) -> None:
    stage.keep(number, take_part(scores, rows, sizes))


def _observe(
    localizer: Localizer, rows: range, batch: LoadedBatch, scores: Scores, sizes: SizeCheck
) -> list[tuple[int, Seen | str]]:
    """What the network sees in the images of a batch, or why nothing, by row."""
    maps = tuple(dict.fromkeys(run.map for run in scores.runs))
    found: list[tuple[int, Seen | str]] = []
    images: list[tuple[int, LoadedImage]] = []
    for row, item in zip(rows, batch, strict=True):
        error = sizes.error(row, item.image_size) if isinstance(item, LoadedImage) else item.error
        if error is not None:
            found.append((row, error))
        elif isinstance(item, LoadedImage):
            images.append((row, item))
    seen = localizer.by_size(partial(_observe_equal, localizer, maps=maps, scores=scores), images)
    return [*found, *seen.items()]


def _add(
    scores: Scores,
    found: Sequence[tuple[int, Seen | str]],
    stages: Stages,
    then: Callable[[], None] | None,
) -> None:
    """Add what was seen in some images, or why nothing was, to the scores."""
    with stages.measure(SCORES):
        for row, seen in found:
            if isinstance(seen, str):
                scores.fail(row, seen)
                continue
            for name, (top, cells) in seen.items():
                try:
                    scores.add_maps(row, name, top, cells)
                except MapError as error:
                    raise DataError(f"{scores.ids[row]}: {error}") from error
        if then is not None:
            then()


def _observe_equal(
    localizer: Localizer, members: Sequence[tuple[int, LoadedImage]], maps: Sequence[str], scores: Scores
) -> list[Seen]:
    """What the network sees in images whose inputs are of one size."""
    labels = [scores.labels(row) for row, _ in members]
    choice = Choice(TOP, labels, alone=scores.with_guesses and scores.has_boxes)
    observed = localizer.observe([image for _, image in members], maps, choice)
    top = min(TOP, len(localizer.classes))
    seen: list[Seen] = []
    for n in range(len(members)):
        by_name: Seen = {}
        for name, found in observed.items():
            indices = [int(index) for index in found.class_index[n]]
            cells = (
                dict(zip(indices, found.maps[n], strict=True)) if MAPS[name].per_class else found.maps[n, 0]
            )
            by_name[name] = (indices[:top], cells)
        seen.append(by_name)
    return seen
