"""The process, its settings and its credentials."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

EVENTS = (
    event("service.started", Level.INFO, "The process began.", "command instance", "month endpoint settings"),
    event("service.stopping", Level.INFO, "The process ends on request; what is in flight is recorded.", "reason"),
    event(
        "service.crashed",
        Level.CRITICAL,
        "An exception that nothing caught ended the process or one of its threads.",
        "detail",
        "exception",
    ),
    event(
        "config.invalid",
        Level.CRITICAL,
        "The settings cannot be used: nothing is delivered until a person mends them.",
        "detail",
        "hint",
    ),
    event("auth.refreshed", Level.INFO, "A new token was fetched.", "expires_unix"),
    event(
        "auth.failed",
        Level.ERROR,
        "No token, or a fresh one was refused: check the credentials.",
        "detail",
        "http_status",
    ),
    event(
        "secrets.reread",
        Level.INFO,
        "The secrets were read anew, after SIGHUP (hangup) or because the API refused them (refused).",
        "reason changed",
    ),
)
