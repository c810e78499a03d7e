"""Every field that a line may hold: one type and one meaning in whatever event it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from report_service.domain.kinds import KIND_BY_NAME
from report_service.events.shapes import LONG_TEXT_CAP, TEXT_CAP, Event, Field, JsonType, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "report-service"
SCHEMA = 1

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def _text(name: str, meaning: str, *values: str, cap: int = TEXT_CAP) -> Field:
    return Field(name=name, type=JsonType.STRING, meaning=meaning, values=values, cap=cap)


def _month(name: str, meaning: str) -> Field:
    return Field(name=name, type=JsonType.STRING, meaning=meaning, pattern=_MONTH)


def _whole(name: str, meaning: str, *values: int) -> Field:
    return Field(name=name, type=JsonType.INTEGER, meaning=meaning, values=values)


def _number(name: str, meaning: str) -> Field:
    return Field(name=name, type=JsonType.NUMBER, meaning=meaning)


def _flag(name: str, meaning: str) -> Field:
    return Field(name=name, type=JsonType.BOOLEAN, meaning=meaning)


COMMON: Mapping[str, Field] = {
    entry.name: entry
    for entry in (
        Field(
            name="timestamp",
            type=JsonType.STRING,
            meaning="when the line was written: UTC, ISO 8601, milliseconds, Z",
            pattern=re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"),
        ),
        _text(
            "level", "how much it matters: fixed for each event but log.message", *(level.value for level in Level)
        ),
        _text("event", "what happened: a name from the table of events"),
        _text("service", "always report-service", SERVICE),
        _text("version", "the program's version"),
        _whole("schema", "the version of this contract; grows when a reader would have to change", SCHEMA),
        _text("run_id", "which run; on every line written inside one, nowhere else"),
    )
}

FIELDS: Mapping[str, Field] = {
    entry.name: entry
    for entry in (
        COMMON["run_id"],
        # Who and where
        _text("command", "the command of the program that was started, such as daemon"),
        _text("instance", "which process: host name and process id"),
        _text("endpoint", "where reports go: mock, or scheme and host"),
        _text("settings", "the settings in force, one line, secrets masked", cap=LONG_TEXT_CAP),
        _text("trigger", "what began the run: daemon, sweep, run, backfill or another command"),
        _text("holder", "the instance that holds the lease"),
        # Why
        _text("reason", "why, as a short fixed word that can be counted"),
        _text("detail", "why, in words for a person"),
        _text("hint", "the way out, in words for a person"),
        _text("exception", "the traceback, its end kept when it is long", cap=LONG_TEXT_CAP),
        _text("logger", "which library's logger wrote the line"),
        # One report
        _text("key", "which report: month/kind, and its subject where there are several"),
        _text(
            "kind",
            "which kind of report",
            *KIND_BY_NAME,
        ),
        _month("month", "the month reported about, YYYY-MM"),
        _text(
            "evidence",
            "confirmed: the API said so; inferred: it answered 409 after an attempt of ours with an unknown end",
            *("confirmed", "inferred"),
        ),
        _text(
            "state",
            "the state that the report is in now",
            *("accepted", "already_reported", "missed", "unresolved"),
        ),
        _text("obelis_id", "the id that the API gave the report"),
        _text("circuit", "which endpoint: api (its host), token (the token's host), or a kind of report"),
        _whole("http_status", "the status of the API's answer; absent when there was none"),
        _whole("attempt", "how many times the report has been sent, this one counted"),
        _whole("duration_ms", "from the request's start to its answer, milliseconds"),
        _whole("next_attempt_unix", "not tried again before this time, Unix seconds"),
        # Counts of one month's reports
        _whole("expected", "reports that the inventory says are due"),
        _whole("delivered", "of the expected: accepted, already_reported, waived or handed_in"),
        _whole("accepted", "reports in state accepted"),
        _whole("already_reported", "reports in state already_reported: the API had them from someone else"),
        _whole("waived", "reports in state waived: a person declared that there is nothing to report"),
        _whole("handed_in", "reports in state handed_in: by other means, after the window closed"),
        _whole("pending", "reports in state pending: ready to be sent"),
        _whole("retrying", "reports in state retrying: to be sent again later"),
        _whole("in_flight", "reports in state in_flight: sent, the answer not yet recorded"),
        _whole("awaiting_data", "reports in state awaiting_data: due, but without a source row"),
        _whole("invalid", "reports in state invalid: the source row breaks a rule"),
        _whole("rejected", "reports in state rejected: the API refused the data"),
        _whole("missed", "reports in state missed: the window closed before they arrived"),
        _whole("unresolved", "reports in state unresolved: the window closed, they may have arrived"),
        _whole("drifted", "delivered reports whose source row has changed since"),
        _whole("outstanding", "reports expected but not yet delivered"),
        _whole("previous_expected", "reports that were expected before: for the month before, or for this month"),
        _flag("complete", "whether every expected report is delivered, and the inventory not in doubt"),
        _whole("inventory_in_doubt", "1 when what the inventory says is due is not to be believed, else 0", 0, 1),
        _whole("source_faults", "tables of the source that cannot be read, and rows that belong to no report"),
        _whole("implausible_figures", "columns of a kind's figures that can hardly be what was meant"),
        # One run
        _whole("sent", "requests sent in this run, token requests counted"),
        _whole("throttled", "answers 429 in this run"),
        _number("duration_s", "how long it took, seconds"),
        _number("rate_per_minute", "requests a minute: as sent in the run, or as allowed from now on"),
        _number("retry_after_s", "how long the API asked to wait, seconds"),
        _whole("forecast_unix", "when the month will be done at the present pace, Unix seconds"),
        _flag("forecast_in_time", "whether that is before the window closes"),
        _number("skew_s", "how far the clock is from the API's, seconds, whichever way"),
        _text("skew_direction", "whether the clock is ahead of the API's or behind it", "ahead", "behind"),
        _text(
            "evidence_head", "the hash of the month's last link of evidence: what `export --verify --head` takes"
        ),
        # The state of the service
        _whole("month_index", "the month as a number that can be compared: year * 12 + month"),
        _whole("window_opens_unix", "when reports for the month may first be sent, Unix seconds"),
        _whole("window_closes_unix", "when they may no longer be sent, Unix seconds"),
        _month("last_completed_month", "the latest month with every report delivered, YYYY-MM"),
        _whole("last_completed_month_index", "the same as year * 12 + month"),
        _whole("last_completed_unix", "when that month was completed, Unix seconds"),
        _whole("last_run_failed", "1 when the latest run ended with run.failed, else 0", 0, 1),
        _flag("lease_holder", "whether this process is the one that delivers"),
        _flag("changed", "whether the client secret is another one now"),
        _whole("expires_unix", "when the token ends, Unix seconds"),
        _text("revision", "the revision of the store's tables"),
    )
}


def event(name: str, level: Level | None, meaning: str, required: str = "", optional: str = "") -> Event:
    """Declare an event; the fields that it must and may have are named in a row, `run_id` is of each."""
    must, may = tuple(required.split()), tuple(optional.split())
    fields = {each: FIELDS[each] for each in ("run_id", *must, *may)}
    return Event(name=name, level=level, meaning=meaning, required=must, optional=may, fields=fields)
