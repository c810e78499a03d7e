"""A month's window: exactly one of window.closed and window.missed ends a month."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

EVENTS = (
    event(
        "window.opened",
        Level.INFO,
        "Reports for the month may be sent from now on.",
        "month window_opens_unix window_closes_unix",
        "expected",
    ),
    event(
        "window.closing",
        Level.WARNING,
        "The window closes soon and something is undelivered, or the inventory is in doubt.",
        "month window_closes_unix outstanding",
        "detail",
    ),
    event(
        "window.closed",
        Level.INFO,
        "The window closed with every report delivered.",
        "month expected delivered",
        "window_closes_unix",
    ),
    event(
        "window.missed",
        Level.CRITICAL,
        "The window closed with something undelivered: it must be handed in by other means. Or with an "
        "inventory in doubt: what was due is not known for sure.",
        "month expected delivered missed unresolved",
        "window_closes_unix detail",
    ),
    event(
        "forecast.late",
        Level.WARNING,
        "At the present pace the month is not done before its window closes. forecast_unix is absent when "
        "nothing gets through.",
        "month window_closes_unix outstanding",
        "forecast_unix",
    ),
)
