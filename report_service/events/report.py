"""One report: a line for each outcome."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

_REPORT = "key kind month"

EVENTS = (
    event(
        "report.accepted",
        Level.INFO,
        "The API took the report.",
        f"{_REPORT} evidence http_status attempt duration_ms",
        "obelis_id",
    ),
    event(
        "report.reconciled",
        Level.INFO,
        "The API has the report already (409): ours after an unknown end (accepted), or someone else's "
        "(already_reported).",
        f"{_REPORT} state",
        "evidence http_status attempt",
    ),
    event(
        "report.replaced",
        Level.INFO,
        "OBELIS had the report from someone else, and has ours in its place now (obelis.on_conflict).",
        _REPORT,
    ),
    event(
        "conflict.kept",
        Level.WARNING,
        "OBELIS has reports from someone else, and takes no correction of them: they stay already_reported. Once "
        "a day.",
        "month detail",
        "hint",
    ),
    event(
        "report.rejected",
        Level.ERROR,
        "The API refused the data: a person must change the source row.",
        f"{_REPORT} http_status detail",
        "attempt",
    ),
    event(
        "report.deferred",
        Level.WARNING,
        "The report did not get through and is tried again by itself.",
        f"{_REPORT} reason detail next_attempt_unix attempt",
        "http_status",
    ),
    event(
        "report.stuck",
        Level.ERROR,
        "Refused (403 or 404) for over an hour: a person must see to the permission, "
        "or register the hub or point.",
        f"{_REPORT} reason detail",
        "http_status attempt next_attempt_unix",
    ),
    event(
        "report.invalid", Level.ERROR, "The source row breaks a rule: a person must mend it.", f"{_REPORT} detail"
    ),
    event(
        "report.drifted",
        Level.ERROR,
        "The source row changed after delivery: the API has other figures than the store. Nothing corrects "
        "that by itself, so it is an error: a person decides on `correct`.",
        _REPORT,
    ),
    event(
        "report.missed",
        Level.CRITICAL,
        "The window closed and the report did not arrive (missed), or may not have (unresolved).",
        f"{_REPORT} state",
    ),
)
