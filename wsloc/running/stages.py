"""Where the time of a run goes, stage by stage; stages run beside one another, so their sum is more than the run's."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Item = TypeVar("Item")

DECODE = "decode"
WAIT_FOR_DECODE = "wait for decode"
FORWARD = "forward"
MAPPING = "maps"
FINE_TUNING = "fine-tuning"
WAIT_FOR_NETWORK = "wait for the network"
BOXES = "boxes"
LABELLING = "seeds"
SCORES = "scores"
WAIT_FOR_SCORES = "wait for scores"
RECORD = "record"
OVERLAYS = "overlays"
WRITE = "write"
# In the order in which an image meets them, with where they run.
STAGES: dict[str, str] = {
    DECODE: "worker processes; 0 workers: the main thread",
    WAIT_FOR_DECODE: "main thread",
    FORWARD: "network thread; of eval the main thread",
    MAPPING: "network thread; of eval the main thread",
    FINE_TUNING: "network thread; of eval the main thread; rib alone",
    WAIT_FOR_NETWORK: "main thread",
    BOXES: "main thread",
    LABELLING: "main thread, which waits for several others",
    SCORES: "scoring thread",
    WAIT_FOR_SCORES: "main thread",
    RECORD: "main thread; waits for overlays and write, too",
    OVERLAYS: "writer threads",
    WRITE: "writer threads",
}


class Stages:
    """Seconds spent in each stage so far, added up over threads and processes; any thread may add to them.

    Args:
        settle: called before a clock is read: a GPU works on when its call has returned. None leaves its work to
            whichever stage waits for it first.
    """

    def __init__(self, settle: Callable[[], None] | None = None) -> None:
        self._settle = settle
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def add(self, stage: str, seconds: float) -> None:
        """Add to a stage, a name of `STAGES`."""
        with self._lock:
            self._seconds[stage] += seconds

    @contextmanager
    def measure(self, stage: str, *, on_device: bool = False) -> Iterator[None]:
        """Add what the block takes to a stage; `on_device`: with what it has left the device to do."""
        start = time.perf_counter()
        try:
            yield
            if on_device and self._settle is not None:
                self._settle()
        finally:
            self.add(stage, time.perf_counter() - start)

    def waiting(self, stage: str, items: Iterable[Item]) -> Iterator[Item]:
        """The items as they are; what each is waited for counts for a stage."""
        more = iter(items)
        while True:
            with self.measure(stage):
                try:
                    item = next(more)
                except StopIteration:
                    return
            yield item

    def seconds(self) -> dict[str, float]:
        """By stage, in the order of `STAGES`; those that had nothing to do are left out."""
        with self._lock:
            return {stage: round(self._seconds[stage], 3) for stage in STAGES if stage in self._seconds}


def profile_lines(seconds: Mapping[str, float], whole: float, of: str = "") -> list[str]:
    """What `Stages.seconds` says, in lines to be read.

    Args:
        seconds: by stage.
        whole: seconds of the whole run.
        of: words that say whose time it was, with a blank before them.
    """
    width = max(map(len, STAGES))
    lines = [f"where the time{of} went, of {whole:.2f} s (stages run beside one another):"]
    for stage, spent in seconds.items():
        share = f"{spent / whole:.1%}" if whole > 0 else ""
        lines.append(f"  {stage:<{width}} {spent:9.2f} s {share:>7}  {STAGES.get(stage, '')}".rstrip())
    return lines
