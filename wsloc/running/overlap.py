"""Work on batches in a thread of its own, one ahead: the network's, while what it found is boxed and recorded."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def worked_ahead(
    items: Iterable[Item], work: Callable[[Item], Result]
) -> Generator[tuple[Item, Future[Result]], None, None]:
    """Each item with what `work` makes of it, in their order; the work is done in one thread, one item ahead.

    While an item's result is used, the next one is worked on. Items are taken in the thread that iterates: it alone
    answers signals, and may start processes. Three items at most are held.

    Args:
        items: taken one by one.
        work: called in the other thread; what it raises is raised by the future.

    Yields:
        The item and its result, which may still have to be waited for.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="wsloc-ahead")
    try:
        before: tuple[Item, Future[Result]] | None = None
        for item in items:
            now = item, pool.submit(work, item)
            if before is not None:
                yield before
            before = now
        if before is not None:
            yield before
    finally:
        pool.shutdown(wait=True, cancel_futures=True)  # what is at work ends; what waits is not begun
