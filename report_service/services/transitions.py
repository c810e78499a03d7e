"""Say what changed, and not again what is still so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from report_service.ports import Events

_STORE, _LEASE = "store", "lease"
_FACTS = {
    "store.lost": _STORE,
    "store.recovered": _STORE,
    "lease.acquired": _LEASE,
    "lease.waiting": _LEASE,
    "lease.lost": _LEASE,
}
"""Which fact an event is about."""


class TransitionsOnly:
    """A sink (`ports.Events`) that lets an event about the store or the lease through only when it is news.

    A daemon looks again every few seconds, and several parts of it notice that the store is away. Everything
    else passes. Safe for use by several threads.
    """

    def __init__(self, events: Events, known: _Known | None = None) -> None:
        """Take the sink behind it; bound sinks share what is `known`."""
        self._events = events
        self._known = known or _Known()

    def emit(self, event: str, /, **fields: object) -> None:
        """Say one declared event, if it is news."""
        fact = _FACTS.get(event)
        if fact is None or self._known.is_news(fact, (event, fields.get("holder"))):
            self._events.emit(event, **fields)

    def bind(self, **fields: object) -> TransitionsOnly:
        """Return a sink that adds these fields to each event."""
        return TransitionsOnly(self._events.bind(**fields), self._known)


class _Known:
    """What was said last of each fact; at first the store is there, and nobody holds the lease."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, object] = {_STORE: ("store.recovered", None)}

    def is_news(self, fact: str, said: object) -> bool:
        """Return True if it differs from what was said last, and remember it."""
        with self._lock:
            before, self._said[fact] = self._said.get(fact), said
        return said != before
