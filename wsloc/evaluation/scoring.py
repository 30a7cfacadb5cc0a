"""An evaluation of live images in a folder: gone on with after a stop, and shared with other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wsloc.running.ranks import Ranks
from wsloc.running.recording import Progress
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.evaluation.live_run import LiveRun
    from wsloc.evaluation.scores import Scores
    from wsloc.running.identity import Identity
    from wsloc.running.unfinished import Results, Work

Outcome = TypeVar("Outcome")


def score_into(
    folder: Path,
    run: LiveRun,
    identity: Identity,
    results: Results,
    finish: Callable[[Work, Callable[[], Scores]], Outcome],
    *,
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
) -> Outcome | None:
    """Do what is left to do of an evaluation, alone or with other processes, and finish it.

    Args:
        folder: where the results go.
        run: what is scored.
        identity: of the evaluation.
        results: what may stand in the folder.
        finish: makes the results; given the work, and what makes the scores of all batches, which is not to be called
            where the work was complete before.
        overwrite: whether what another run left in the folder is given up.
        on_batch: called with the number of images done, by any process, since the last call.
        ranks: this process among those of the evaluation; None for the only one.

    Returns:
        What `finish` gives; None in a process that does not lead.

    Raises:
        UsageError: if the folder holds another run, and is not to be overwritten.
        OutputError: if something cannot be written.
        ImageError: if the folder of the images vanishes, or a process that decodes is killed.
        RunError: if another process of the evaluation is gone.
    """
    ranks = ranks or Ranks()
    with open_work(folder, identity, results, batches=run.batches, ranks=ranks, overwrite=overwrite) as work:
        progress = Progress(ranks, on_batch)
        progress.skip(work.skipped)
        joined = _nothing if work.complete else run.score_share(work, progress.add)
        if not work.wait_for_all(progress.look):
            return None
        progress.look()
        return finish(work, joined)


def _nothing() -> Scores:
    raise ValueError("the evaluation was complete before: there are no scores")
