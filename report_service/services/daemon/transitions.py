"""Emit what changed, and not again what is still so; what stays wrong is told once a day."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.ports import Clock, Events

_STORE, _LEASE = "store", "lease"
_FACTS = {
    "store.lost": _STORE,
    "store.recovered": _STORE,
    "lease.acquired": _LEASE,
    "lease.waiting": _LEASE,
    "lease.lost": _LEASE,
}
"""Which fact an event is about."""

DAILY = frozenset(
    {"conflict.kept", "contract.drifted", "figures.implausible", "inventory.unrecognised", "kind.paused"}
)
"""Events that each run would repeat while a fault lasts: told anew when another month or kind is concerned."""
FOUND = frozenset({"inventory.shrunk", "source.faulty"})
"""Events that each run finds anew until somebody mends it: told anew when a field differs, or it comes back."""
_RUN_ENDS = frozenset({"run.completed", "run.failed"})
DAY_S = 86_400.0


class TransitionsOnly:
    """A sink (`ports.Events`) that lets an event about the store or the lease through only when it is news.

    A daemon looks again every few seconds, and several parts of it notice that the store is away. Events that are
    DAILY or FOUND pass once a day. Everything else passes. Safe for use by several threads.
    """

    def __init__(self, events: Events, clock: Clock, known: _Known | None = None) -> None:
        """Take the sink behind it; bound sinks share what is `known`."""
        self._events = events
        self._clock = clock
        self._known = known or _Known()

    def emit(self, event: str, /, **fields: object) -> None:
        """Emit one declared event, if it is news."""
        fact = _FACTS.get(event)
        if event in DAILY:
            about = f"{event} {fields.get('month')} {fields.get('kind')}"
            passes = self._known.is_old(about, self._clock.monotonic())
        elif event in FOUND:
            passes = self._known.is_newly_found((event, *fields.items()), self._clock.monotonic())
        else:
            passes = fact is None or self._known.is_news(fact, (event, fields.get("holder")))
        if event in _RUN_ENDS:
            self._known.forget_mended(("month", fields.get("month")))
        if passes:
            self._events.emit(event, **fields)

    def bind(self, **fields: object) -> TransitionsOnly:
        """Return a sink that adds these fields to each event."""
        return TransitionsOnly(self._events.bind(**fields), self._clock, self._known)


class _Known:
    """What was said last of each fact; at first the store is there, and nobody holds the lease."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, object] = {_STORE: ("store.recovered", None)}
        self._said_at: dict[object, float] = {}
        self._found: set[tuple[object, ...]] = set()  # by the run that goes on
        self._lasting: set[tuple[object, ...]] = set()  # found, and not mended yet

    def is_news(self, fact: str, said: object) -> bool:
        """Return True if it differs from what was said last, and remember it."""
        with self._lock:
            before, self._said[fact] = self._said.get(fact), said
        return said != before

    def is_newly_found(self, fault: tuple[object, ...], at: float) -> bool:
        """Return True if a run's finding is news, or old; remember it until a run does not find it."""
        with self._lock:
            self._found.add(fault)
            self._lasting.add(fault)
        return self.is_old(fault, at)

    def forget_mended(self, month: tuple[str, object]) -> None:
        """Let what the run of a month did not find any more be news when it comes again."""
        with self._lock:
            mended = {fault for fault in self._lasting - self._found if month in fault}
            self._lasting -= mended
            self._found.clear()
            for fault in mended:
                del self._said_at[fault]

    def is_old(self, about: object, at: float) -> bool:
        """Return True if it was not said for a day before the monotonic `at`, and remember that it is said now."""
        with self._lock:
            before = self._said_at.get(about)
            if before is not None and at - before < DAY_S:
                return False
            self._said_at[about] = at
        return True
