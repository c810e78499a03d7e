"""The right to deliver, the store, and what other libraries say."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

EVENTS = (
    event("lease.acquired", Level.INFO, "This process delivers from now on.", "", "holder"),
    event("lease.lost", Level.WARNING, "This process no longer delivers; another will.", "", "holder detail"),
    event("lease.waiting", Level.INFO, "Another process delivers; this one stands by.", "holder"),
    event("store.lost", Level.WARNING, "The database cannot be reached; tried again by itself.", "detail"),
    event("store.recovered", Level.INFO, "The database can be reached again.", "", "duration_s"),
    event("store.upgraded", Level.INFO, "The store's tables were brought to this version.", "revision"),
    event("log.message", None, "A line of another library.", "logger detail", "exception"),
)
