"""The API as a whole: whether it answers, in the words agreed on, and how fast it may be asked."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

EVENTS = (
    event(
        "circuit.opened",
        Level.WARNING,
        "An endpoint does not answer: only probes go to it, the others go on. Heals by itself.",
        "circuit detail",
    ),
    event("circuit.closed", Level.INFO, "The endpoint answers again.", "circuit"),
    event(
        "contract.drifted",
        Level.ERROR,
        "The API answered 2xx in words that nobody announced: what it stored is found out by sending the same "
        "again. Once a day.",
        "detail",
        "http_status",
    ),
    event(
        "kind.paused",
        Level.ERROR,
        "The API rejects every report of a kind, and none of it is in this month: they are put off, not "
        "refused for good. Once a day.",
        "kind month detail hint",
    ),
    event(
        "inventory.unrecognised",
        Level.ERROR,
        "Every hub and point is unknown to the API: are these the ids of this system? Once a day.",
        "month detail hint",
    ),
    event(
        "pace.slowed",
        Level.WARNING,
        "The API asked to slow down (429), or a firewall throttles (403 to whatever comes after acceptances): "
        "once for each slowing, not for each answer.",
        "rate_per_minute",
        "retry_after_s",
    ),
    event("clock.skewed", Level.WARNING, "The clock and the API's differ.", "skew_s", "skew_direction"),
)
