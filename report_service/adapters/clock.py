"""The system's clock, and what goes on beside it: the only file that reads the wall clock or sleeps."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


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
    """Calls things again and again, each in a daemon thread of its own."""

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call again and again, so many seconds apart, until what is returned is called."""
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(seconds):
                call()

        threading.Thread(target=go_on, name=getattr(call, "__name__", "background"), daemon=True).start()
        return ended.set
