"""The process itself: its clock, its log, and the pulse that others feel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

T = TypeVar("T")


class Clock(Protocol):
    """Time, as the outside world has it."""

    def now(self) -> datetime:
        """Return the wall clock's time: aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, from an arbitrary start."""

    def sleep(self, seconds: float) -> None:
        """Wait; zero and less return at once."""


class Background(Protocol):
    """What goes on beside the caller."""

    def every(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Call again and again, so many seconds apart, until what is returned is called."""

    def within(self, seconds: float, call: Callable[[], T]) -> T:
        """Return what a call returns; raise TimeoutError, and leave it behind, if that takes longer."""

    def lock(self) -> AbstractContextManager[object]:
        """Return what lets one of the two in at a time."""


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
    month: str | None = None  # whose window is open; YYYY-MM
    complete: bool | None = None  # None: the store was away
    outstanding: int | None = None


class Signal(StrEnum):
    """What a dead man's switch is told; the value is what its address ends with."""

    SUCCESS = ""  # all is well, or done
    START = "/start"  # something begins, of which the success is to be awaited
    FAIL = "/fail"  # a person is to be told now


class DeadMansSwitch(Protocol):
    """One check of a service that tells a person when it hears nothing."""

    def send(self, signal: Signal, text: str) -> bool:
        """Send a signal with a short text; return whether it got through."""
