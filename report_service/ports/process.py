"""The process itself: its clock, its log, and the pulse that others feel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """Time, as the outside world has it."""

    def now(self) -> datetime:
        """Return the wall clock's time: aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, from an arbitrary start."""

    def sleep(self, seconds: float) -> None:
        """Wait; zero and less return at once."""


class Events(Protocol):
    """Where the services say what happened: the log contract of `events`."""

    def emit(self, event: str, /, **fields: object) -> None:
        """Say one declared event; a field that is None is left out."""

    def bind(self, **fields: object) -> Events:
        """Return a sink that adds these fields to each event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """What the daemon leaves behind at each heartbeat; times are monotonic seconds, one clock for the machine."""

    instance: str
    beat_at: float
    stale_after_s: float
    moved_at: float
    store: str | None  # why the store could not be read
    failing: str | None
    crashed: str | None
    crashes: int
