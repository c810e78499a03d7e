"""Read within a bound of time, whatever the database does.

No driver bounds everything: a lock that is never let go, a query that computes for hours, a server that is gone in
the middle of an answer, a name that does not resolve. So each step of reading is made in a thread of its own, and
awaited. A step that takes too long is told to end, and left behind: its thread keeps nobody.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from report_service.ports import Clock

T = TypeVar("T")


def within(
    timeout_s: float, read: Callable[[Callable[[], bool]], Generator[Sequence[T]]], *, clock: Clock
) -> Iterator[T]:
    """Yield what `read` yields in batches; raise TimeoutError once they took longer than `timeout_s` in all.

    The time in which the caller works on what it got does not count. `read` is given a function that tells, from
    then on, that nobody waits any more.
    """
    given_up = threading.Event()
    batches, left_s = read(given_up.is_set), timeout_s

    def batch() -> Sequence[T] | None:
        nonlocal left_s
        asked_at = clock.monotonic()
        found = _next(batches, left_s)
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


def _next(batches: Generator[Sequence[T]], timeout_s: float) -> Sequence[T] | None:
    """Return the next batch, None if there is none; raise TimeoutError, or what making it raised."""
    made: Future[Sequence[T] | None] = Future()

    def make() -> None:
        try:
            made.set_result(next(batches, None))
        except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
            made.set_exception(exc)

    threading.Thread(target=make, name="source", daemon=True).start()
    return made.result(timeout_s)
