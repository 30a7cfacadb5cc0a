"""The processes of one run, as torchrun or another launcher starts them: who they are, and how they meet.

Batches need nothing of one another, so no collective operation is used, which a dead process would block: a process
tells the others what it has done through the launcher's key-value store, and shows every few seconds that it is alive.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from wsloc.errors import RunError, UsageError
from wsloc.signals import check_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAUNCHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # variables that torchrun sets
PATIENCE = 300.0  # seconds, until every process must have started
HEARTBEAT = 5.0  # seconds
SILENCE = 60.0  # seconds without a heartbeat after which a process is taken for dead
PAUSE = 0.05  # seconds between two looks at the store


@dataclass(frozen=True, slots=True)
class Ranks:
    """One process among those of a run; by default the only one.

    Attributes:
        rank: its number, from 0; process 0 leads: it prepares the run, speaks and joins the results.
        size: how many there are.
        store: what they tell one another (`torch.distributed.Store`); None for the only one.
        attempt: how often the launcher has started all of them again after one had died.
    """

    rank: int = 0
    size: int = 1
    store: Any = None
    attempt: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process prepares the run, speaks and joins the results."""
        return self.rank == 0

    def tell(self, stage: str, word: str = "") -> None:
        """Let the others know that this process has come to a stage.

        Raises:
            RunError: if the store is gone.
        """
        if self.store is not None:
            self._ask("set", self._key(stage, self.rank), word)

    def hear(self, stage: str, rank: int, meanwhile: Callable[[], None] | None = None) -> str:
        """What another process told when it came to a stage; waits for that.

        Args:
            stage: its name.
            rank: of the other process.
            meanwhile: called again and again.

        Raises:
            RunError: if the other process shows no life, or the store is gone.
        """
        key = self._key(stage, rank)
        beats, changed = 0, time.monotonic()
        while not self._ask("check", [key]):
            check_signals()
            if meanwhile is not None:
                meanwhile()
            time.sleep(PAUSE)
            now, waited = self._ask("add", self._key("beats", rank), 0), time.monotonic() - changed
            if now != beats:
                beats, changed = now, time.monotonic()
            elif waited > (SILENCE if beats else PATIENCE):
                raise RunError(
                    f"process {rank} of {self.size} shows no life: its images are not done: run the same command "
                    "again to go on"
                )
        return str(self._ask("get", key).decode())

    def count(self, name: str, number: int) -> int:
        """Add to a number that all processes share, and return its sum.

        Raises:
            RunError: if the store is gone.
        """
        return int(self._ask("add", self._key(name), number))

    def show_life(self, until: Event) -> None:
        """Show every few seconds that this process is alive."""
        with suppress(RunError):  # the thread that works will notice
            self.count(f"beats/{self.rank}", 1)
            while not until.wait(HEARTBEAT):
                self.count(f"beats/{self.rank}", 1)

    def _key(self, name: str, rank: int | None = None) -> str:
        # After a restart the store may be the same one.
        return f"wsloc/{self.attempt}/{name}" if rank is None else f"wsloc/{self.attempt}/{name}/{rank}"

    def _ask(self, what: str, *arguments: object) -> Any:
        try:
            return getattr(self.store, what)(*arguments)
        except RuntimeError as error:  # torch's own kinds of it, with many lines of where
            raise RunError(
                "the other processes of this run cannot be reached: run the same command again to go on"
            ) from error


def launched() -> tuple[int, int]:
    """(rank, number of processes) that the launcher has given this process; (0, 1) without one.

    Raises:
        UsageError: if its variables make no sense.
    """
    if not all(os.environ.get(name) for name in LAUNCHER):
        return 0, 1
    try:
        rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except ValueError:
        rank, size = -1, 0
    if not 0 <= rank < size:
        raise UsageError(
            f"the environment says RANK={os.environ['RANK']} and WORLD_SIZE={os.environ['WORLD_SIZE']}: start "
            "wsloc by torchrun, or unset them"
        )
    return rank, size


def on_this_machine() -> tuple[int, int]:
    """(number on this machine, how many there are) of the processes of a run."""
    rank, size = launched()
    if size == 1:
        return 0, 1
    local = os.environ.get("LOCAL_RANK", ""), os.environ.get("LOCAL_WORLD_SIZE", "")
    return (int(local[0]) if local[0].isdecimal() else rank, int(local[1]) if local[1].isdecimal() else 1)


@contextmanager
def joined() -> Iterator[Ranks]:
    """This process among those of its run, alive to the others while the block lasts.

    Raises:
        RunError: if the others cannot be reached.
        UsageError: if the launcher's variables make no sense.
    """
    rank, size = launched()
    if size == 1:
        yield Ranks()
        return
    restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "")
    ranks = Ranks(rank, size, _connected_store(), int(restarts) if restarts.isdecimal() else 0)
    ended = Event()
    heartbeat = Thread(target=ranks.show_life, args=(ended,), daemon=True)
    heartbeat.start()
    try:
        yield ranks
    finally:
        ended.set()
        heartbeat.join()


def _connected_store() -> Any:
    """The launcher's store, once all processes have come to it; signals are answered meanwhile.

    Raises:
        RunError: if the others cannot be reached.
    """
    from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415 - only runs of several processes need it

    found: list[Any] = []

    def connect() -> None:
        try:
            found.append(next(rendezvous("env://", timeout=timedelta(seconds=PATIENCE)))[0])
        except RuntimeError as error:  # torch's own kinds of it, with many lines of where
            found.append(error)

    connecting = Thread(target=connect, daemon=True)
    connecting.start()
    while connecting.is_alive():
        connecting.join(PAUSE)
        check_signals()
    if isinstance(found[0], RuntimeError):
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise RunError(f"the other processes of this run cannot be reached at {place}") from found[0]
    return found[0]
