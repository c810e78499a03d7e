"""Runs: how each began and ended, and the heartbeat between them."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

_COUNTS = (
    "expected delivered accepted already_reported waived handed_in pending retrying in_flight awaiting_data "
    "invalid rejected missed unresolved drifted inventory_in_doubt"
)
_RUN_END = "sent throttled duration_s rate_per_minute"
_FORECAST = "forecast_unix forecast_in_time skew_s"

EVENTS = (
    event("run.started", Level.INFO, "A run began.", "month trigger endpoint instance"),
    event(
        "run.completed",
        Level.INFO,
        "The run's one canonical line when it went to its end, whether or not the month is complete.",
        f"month trigger {_COUNTS} complete {_RUN_END} source_faults implausible_figures",
        f"{_FORECAST} evidence_head",
    ),
    event(
        "run.failed",
        Level.ERROR,
        "The run's one canonical line when it could not go to its end. Counts are absent when it failed "
        "before they were known.",
        "month trigger reason detail duration_s",
        f"{_COUNTS} complete sent throttled rate_per_minute source_faults implausible_figures {_FORECAST} "
        "evidence_head hint exception",
    ),
    event(
        "run.halted",
        Level.WARNING,
        "The run stopped sending before its end; what is left stays due. Its canonical line follows.",
        "reason detail",
        "month hint",
    ),
    event(
        "rehearsal.completed",
        Level.INFO,
        "The daemon rehearsed the running month against the built-in mock: how it would stand with today's data. "
        "From schedule.rehearse_day on, daily until it would be complete; detail names what would be missing.",
        f"month month_index {_COUNTS} outstanding complete implausible_figures duration_s",
        "detail",
    ),
    event(
        "rehearsal.failed",
        Level.WARNING,
        "The running month could not be rehearsed; what keeps it from that may keep it from being delivered.",
        "month reason detail",
        "hint",
    ),
    event(
        "run.heartbeat",
        Level.INFO,
        "The state of the service, whether or not something happened. Counts are absent while the store "
        "cannot be read, last_completed_* until a month was completed.",
        "month month_index window_opens_unix window_closes_unix last_run_failed lease_holder",
        f"{_COUNTS} last_completed_month last_completed_month_index last_completed_unix {_FORECAST}",
    ),
)
