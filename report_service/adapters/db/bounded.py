"""Read within a bound of time, whatever the database does.

No driver bounds everything: a lock that is never let go, a query that computes for hours, a server that is gone in
the middle of an answer, a name that does not resolve. So each step of reading is made beside the caller, and
awaited. A step that takes too long is told to end, and left behind: its thread keeps nobody.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from report_service.adapters.clock import ThreadedBackground

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from report_service.ports import Background, Clock

T = TypeVar("T")


def within(
    timeout_s: float,
    read: Callable[[Callable[[], bool]], Generator[Sequence[T]]],
    *,
    clock: Clock,
    background: Background | None = None,
) -> Iterator[T]:
    """Yield what `read` yields in batches; raise TimeoutError once they took longer than `timeout_s` in all.

    The time in which the caller works on what it got does not count. `read` is given a function that tells, from
    then on, that nobody waits any more.
    """
    given_up = threading.Event()
    batches, left_s, beside = read(given_up.is_set), timeout_s, background or ThreadedBackground()

    def batch() -> Sequence[T] | None:
        nonlocal left_s
        asked_at = clock.monotonic()
        found = beside.within(left_s, lambda: next(batches, None))
        left_s -= clock.monotonic() - asked_at
        if left_s < 0:
            raise TimeoutError
        return found

    try:
        while (rows := batch()) is not None:
            yield from rows
    except TimeoutError:
        given_up.set()
        raise
    finally:
        if not given_up.is_set():  # else it is still at work, and ends by itself
            batches.close()
