"""The system's clock, and what goes on beside it: the only file that reads the wall clock or sleeps."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

T = TypeVar("T")


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the wall clock's time: aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only ever grow, from an arbitrary start."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; zero and less return at once."""
        if seconds > 0:
            time.sleep(seconds)


class ThreadedBackground:
    """Calls things, each in a daemon thread of its own (`ports.Background`)."""

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call again and again, so many seconds apart, until what is returned is called."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(seconds):
                call()

        threading.Thread(target=go_on, name=getattr(call, "__name__", "background"), daemon=True).start()
        return ended.set

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """Return what a call returns; raise TimeoutError, and leave it behind, if that takes longer."""
        made: Future[T] = Future()

        def make() -> None:
            try:
                made.set_result(call())
            except BaseException as exc:  # noqa: BLE001 - it is raised where it is awaited
                made.set_exception(exc)

        threading.Thread(target=make, name="bounded", daemon=True).start()
        return made.result(seconds)

    def lock(self) -> AbstractContextManager[object]:
        """Return what lets one of the two in at a time."""
        return threading.Lock()
