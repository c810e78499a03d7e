"""What the services need from outside, as protocols; the adapters fulfil them."""

from __future__ import annotations

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
