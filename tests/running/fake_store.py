"""A key-value store as torch.distributed has it, for processes that are threads of a test."""

from __future__ import annotations

from threading import Lock

from wsloc.running.ranks import Ranks


class FakeStore:
    """Keys and values in memory; `broken` makes it a store whose host is gone."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.broken = False
        self._lock = Lock()

    def _require(self) -> None:
        if self.broken:
            raise RuntimeError("Connection reset by peer\nException raised from recvBytes at Utils.hpp:678")

    def set(self, key: str, value: str) -> None:
        self._require()
        self.values[key] = value.encode()

    def get(self, key: str) -> bytes:
        self._require()
        return self.values[key]

    def check(self, keys: list[str]) -> bool:
        self._require()
        return all(key in self.values for key in keys)

    def add(self, key: str, number: int) -> int:
        self._require()
        with self._lock:
            total = int(self.values.get(key, b"0")) + number
            self.values[key] = str(total).encode()
        return total


def fake_ranks(size: int) -> list[Ranks]:
    """The processes of a run that share one store."""
    store = FakeStore()
    return [Ranks(rank, size, store) for rank in range(size)]
