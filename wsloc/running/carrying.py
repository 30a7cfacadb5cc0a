"""A run from its opening to its end: what all commands over images do alike around their batches."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wsloc.running.ranks import Ranks
from wsloc.running.recording import Progress
from wsloc.running.unfinished import open_work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wsloc.running.identity import Identity
    from wsloc.running.unfinished import Results, Work


class Clock:
    """When a run began, and how long ago.

    Attributes:
        started: an aware time, in UTC.
    """

    def __init__(self) -> None:
        self.started = datetime.now(UTC)
        self._begun = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self._begun


def carry_out(
    folder: Path,
    identity: Identity,
    results: Results,
    *,
    batches: range,
    record: Callable[[Work, Progress], None],
    join: Callable[[Work], None],
    on_batch: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
    overwrite: bool = False,
) -> int | None:
    """Do what is left to do of a run; nothing, where it is complete and whole.

    Args:
        folder: of the results.
        identity: of the run.
        results: what may stand in the folder.
        batches: numbers of the batches that are to be done.
        record: does those of this process (see `record_batches`).
        join: makes one set of results of what all processes have done; called in the leading one.
        on_batch: called with the number of images done, by any process, since the last call.
        ranks: this process among those of the run; None for the only one.
        overwrite: whether what another run left in the folder is replaced.

    Returns:
        How many images were done before; None in a process that does not lead.

    Raises:
        UsageError: if the folder holds another run, and is not to be overwritten.
        OutputError: if something cannot be written.
        RunError: if another process of the run is gone.
    """
    ranks = ranks or Ranks()
    with open_work(folder, identity, results, batches=batches, ranks=ranks, overwrite=overwrite) as work:
        progress = Progress(ranks, on_batch)
        progress.skip(work.skipped)
        if work.todo:
            record(work, progress)
        if not work.wait_for_all(progress.look):
            return None
        progress.look()
        if not work.complete:
            join(work)
            work.finish()
    return work.skipped
