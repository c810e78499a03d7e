"""Whether the daemon is well: what it knows of itself, what it leaves for others to read, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from report_service.liveness import ailment

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.ports import Clock, HealthSnapshot


class WorkerHealth:
    """What the daemon's threads know of themselves."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock; all is well at first."""
        self._clock = clock
        self.moved_at = clock.monotonic()  # when the worker last showed that it goes on
        self.failing: str | None = None  # why the last run did not go to its end
        self.crashed: dict[
            str, str
        ] = {}  # what raised when it was done last (look, heartbeat), and what it raised
        self.crashes = 0  # since the start

    def moved(self) -> None:
        """Note that the worker goes on."""
        self.moved_at = self._clock.monotonic()

    def watching(self, stop: Callable[[], str | None]) -> Callable[[], str | None]:
        """Return `stop`, noting each time that a worker asks it: every half second while it delivers."""

        def ask() -> str | None:
            self.moved()
            return stop()

        return ask


def diagnose(pulse: HealthSnapshot, *, at: float) -> str | None:
    """Return why the daemon is not well at `at`, in one line; None if it is."""
    dead = ailment(beat_at=pulse.beat_at, stale_after_s=pulse.stale_after_s, moved_at=pulse.moved_at, at=at)
    ailments = {
        dead or "": dead is not None,
        f"a job raises ({pulse.crashes} times since the start): {pulse.crashed}": pulse.crashed is not None,
        f"the store cannot be reached: {pulse.store}": pulse.store is not None,
        f"the last run failed: {pulse.failing}": pulse.failing is not None,
    }
    return next((why for why, so in ailments.items() if so), None)
