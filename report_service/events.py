"""The log contract as data: every event that the service may log, with its level, meaning and fields.

Others watch the service through these lines alone, so this file is an interface. A field has one type and one
meaning in whatever event it stands; `config/monitoring/log-events.schema.json` and `config/monitoring/EVENTS.md`
are generated from here (`python -m report_service.logs.reference`). To add an event: a line in `EVENTS`, and in
`FIELDS` for each new field; then generate, and emit it in a test.

Levels: info is normal; a warning heals by itself or comes nearer; an error needs a person; critical means that the
service cannot do its job, or that a window closed with something undelivered. `log.message` alone takes the level
of the line that it stands for. Numbers are zero or more: log readers such as mtail do not match a minus sign.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.domain.kinds import KIND_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "report-service"
SCHEMA = 1
TEXT_CAP = 500
LONG_TEXT_CAP = 8_000


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"  # only log.message: other libraries' words, when asked for
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class JsonType(StrEnum):
    """What a field's value is in JSON."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its name, type and meaning are the same in every event."""

    name: str
    type: JsonType
    meaning: str
    values: tuple[str | int, ...] = ()  # when given, the only ones
    pattern: re.Pattern[str] | None = None
    cap: int = TEXT_CAP  # longer strings are cut to this many characters

    def problem(self, value: object) -> str | None:
        """Say what is wrong with `value`, never quoting it; None when it may be logged."""
        if not _is_of(self.type, value):
            return f"{self.name} takes {_WANTED[self.type]}, not {type(value).__name__}"
        if self.values and value not in self.values:
            return f"{self.name} takes one of {', '.join(map(str, self.values))}"
        if self.pattern is not None and not self.pattern.fullmatch(str(value)):
            return f"{self.name} does not match {self.pattern.pattern}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: its level is fixed, and so are the fields that it must and may have."""

    name: str
    level: Level | None  # None: as said by whoever wrote the line
    meaning: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    fields: Mapping[str, Field] = field(repr=False)  # both of these, and run_id


_WANTED = {
    JsonType.STRING: "a string",
    JsonType.INTEGER: "a whole number of zero or more",
    JsonType.NUMBER: "a finite number of zero or more",
    JsonType.BOOLEAN: "true or false",
}


def _is_of(kind: JsonType, value: object) -> bool:
    if kind is JsonType.STRING:
        return isinstance(value, str)
    if isinstance(value, bool) or kind is JsonType.BOOLEAN:
        return isinstance(value, bool) and kind is JsonType.BOOLEAN
    if isinstance(value, int):
        return value >= 0
    return kind is JsonType.NUMBER and isinstance(value, float) and math.isfinite(value) and value >= 0


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

_COUNTS = (
    "expected delivered accepted already_reported waived handed_in pending retrying in_flight awaiting_data "
    "invalid rejected missed unresolved drifted inventory_in_doubt"
)
_REPORT = "key kind month"
_RUN_END = "sent throttled duration_s rate_per_minute"
_FORECAST = "forecast_unix forecast_in_time skew_s"


def _event(name: str, level: Level | None, meaning: str, required: str = "", optional: str = "") -> Event:
    must, may = tuple(required.split()), tuple(optional.split())
    fields = {each: FIELDS[each] for each in ("run_id", *must, *may)}
    return Event(name=name, level=level, meaning=meaning, required=must, optional=may, fields=fields)


_INFO, _WARNING, _ERROR, _CRITICAL = Level.INFO, Level.WARNING, Level.ERROR, Level.CRITICAL

EVENTS: Mapping[str, Event] = {
    entry.name: entry
    for entry in (
        # The process
        _event("service.started", _INFO, "The process began.", "command instance", "month endpoint settings"),
        _event("service.stopping", _INFO, "The process ends on request; what is in flight is recorded.", "reason"),
        _event(
            "service.crashed",
            _CRITICAL,
            "An exception that nothing caught ended the process or one of its threads.",
            "detail",
            "exception",
        ),
        _event(
            "config.invalid",
            _CRITICAL,
            "The settings cannot be used: nothing is delivered until a person mends them.",
            "detail",
            "hint",
        ),
        # Credentials
        _event("auth.refreshed", _INFO, "A new token was fetched.", "expires_unix"),
        _event(
            "auth.failed",
            _ERROR,
            "No token, or a fresh one was refused: check the credentials.",
            "detail",
            "http_status",
        ),
        _event(
            "secrets.reread",
            _INFO,
            "The secrets were read anew, after SIGHUP (hangup) or because the API refused them (refused).",
            "reason changed",
        ),
        # Runs
        _event("run.started", _INFO, "A run began.", "month trigger endpoint instance"),
        _event(
            "run.completed",
            _INFO,
            "The run's one canonical line when it went to its end, whether or not the month is complete.",
            f"month trigger {_COUNTS} complete {_RUN_END} source_faults implausible_figures",
            f"{_FORECAST} evidence_head",
        ),
        _event(
            "run.failed",
            _ERROR,
            "The run's one canonical line when it could not go to its end. Counts are absent when it failed "
            "before they were known.",
            "month trigger reason detail duration_s",
            f"{_COUNTS} complete sent throttled rate_per_minute source_faults implausible_figures {_FORECAST} "
            "evidence_head "
            "hint exception",
        ),
        _event(
            "run.halted",
            _WARNING,
            "The run stopped sending before its end; what is left stays due. Its canonical line follows.",
            "reason detail",
            "month hint",
        ),
        _event(
            "run.heartbeat",
            _INFO,
            "The state of the service, whether or not something happened. Counts are absent while the store "
            "cannot be read, last_completed_* until a month was completed.",
            "month month_index window_opens_unix window_closes_unix last_run_failed lease_holder",
            f"{_COUNTS} last_completed_month last_completed_month_index last_completed_unix {_FORECAST}",
        ),
        # Reports: one line for each outcome
        _event(
            "report.accepted",
            _INFO,
            "The API took the report.",
            f"{_REPORT} evidence http_status attempt duration_ms",
            "obelis_id",
        ),
        _event(
            "report.reconciled",
            _INFO,
            "The API has the report already (409): ours after an unknown end (accepted), or someone else's "
            "(already_reported).",
            f"{_REPORT} state",
            "evidence http_status attempt",
        ),
        _event(
            "report.rejected",
            _ERROR,
            "The API refused the data: a person must change the source row.",
            f"{_REPORT} http_status detail",
            "attempt",
        ),
        _event(
            "report.deferred",
            _WARNING,
            "The report did not get through and is tried again by itself.",
            f"{_REPORT} reason detail next_attempt_unix attempt",
            "http_status",
        ),
        _event(
            "report.stuck",
            _ERROR,
            "Refused (403 or 404) for over an hour: a person must see to the permission, "
            "or register the hub or point.",
            f"{_REPORT} reason detail",
            "http_status attempt next_attempt_unix",
        ),
        _event(
            "report.invalid", _ERROR, "The source row breaks a rule: a person must mend it.", f"{_REPORT} detail"
        ),
        _event(
            "report.drifted",
            _ERROR,
            "The source row changed after delivery: the API has other figures than the store. Nothing corrects "
            "that by itself, so it is an error: a person decides on `correct`.",
            _REPORT,
        ),
        _event(
            "report.missed",
            _CRITICAL,
            "The window closed and the report did not arrive (missed), or may not have (unresolved).",
            f"{_REPORT} state",
        ),
        _event(
            "data.missing",
            _WARNING,
            "A report is due and has no source row. A warning, for data often comes during the month; "
            "how near the end is, the heartbeat says.",
            _REPORT,
        ),
        _event(
            "inventory.shrunk",
            _ERROR,
            "Over 10 % fewer reports are due than for the month before, or than were planned, or a table of the "
            "inventory is empty. Nothing is taken out of what is expected, and the month is not complete, until "
            "it is whole again or a person accepts it. By a daemon when that begins and once a day.",
            "month expected previous_expected",
            "detail",
        ),
        _event(
            "inventory.accepted",
            _INFO,
            "A person said that the inventory is right as it is.",
            "month expected detail",
        ),
        _event(
            "source.faulty",
            _ERROR,
            "A table of the source cannot be read, or a row of it cannot be used and belongs to no single "
            "report: a person must mend it. At most 50 a run; by a daemon when that begins and once a day.",
            "month detail",
        ),
        _event(
            "figures.implausible",
            _WARNING,
            "Figures of a kind can hardly be what was meant, and are sent all the same: stars for grades, euros "
            "for cents, another month's validity. A person should look. Once a day.",
            "kind month detail",
        ),
        # The API as a whole
        _event(
            "circuit.opened",
            _WARNING,
            "An endpoint does not answer: only probes go to it, the others go on. Heals by itself.",
            "circuit detail",
        ),
        _event("circuit.closed", _INFO, "The endpoint answers again.", "circuit"),
        _event(
            "contract.drifted",
            _ERROR,
            "The API answered 2xx in words that nobody announced: what it stored is found out by sending the same "
            "again. Once a day.",
            "detail",
            "http_status",
        ),
        _event(
            "kind.paused",
            _ERROR,
            "The API rejects every report of a kind, and none of it is in this month: they are put off, not "
            "refused for good. Once a day.",
            "kind month detail hint",
        ),
        _event(
            "inventory.unrecognised",
            _ERROR,
            "Every hub and point is unknown to the API: are these the ids of this system? Once a day.",
            "month detail hint",
        ),
        # The window: exactly one of window.closed and window.missed ends a month
        _event(
            "window.opened",
            _INFO,
            "Reports for the month may be sent from now on.",
            "month window_opens_unix window_closes_unix",
            "expected",
        ),
        _event(
            "window.closing",
            _WARNING,
            "The window closes soon and something is undelivered, or the inventory is in doubt.",
            "month window_closes_unix outstanding",
            "detail",
        ),
        _event(
            "window.closed",
            _INFO,
            "The window closed with every report delivered.",
            "month expected delivered",
            "window_closes_unix",
        ),
        _event(
            "window.missed",
            _CRITICAL,
            "The window closed with something undelivered: it must be handed in by other means. Or with an "
            "inventory in doubt: what was due is not known for sure.",
            "month expected delivered missed unresolved",
            "window_closes_unix detail",
        ),
        # Pace and time
        _event(
            "pace.slowed",
            _WARNING,
            "The API asked to slow down (429), or a firewall throttles (403 to whatever comes after acceptances): "
            "once for each slowing, not for each answer.",
            "rate_per_minute",
            "retry_after_s",
        ),
        _event("clock.skewed", _WARNING, "The clock and the API's differ.", "skew_s", "skew_direction"),
        _event(
            "forecast.late",
            _WARNING,
            "At the present pace the month is not done before its window closes. forecast_unix is absent when "
            "nothing gets through.",
            "month window_closes_unix outstanding",
            "forecast_unix",
        ),
        # The store and the right to deliver
        _event("lease.acquired", _INFO, "This process delivers from now on.", "", "holder"),
        _event("lease.lost", _WARNING, "This process no longer delivers; another will.", "", "holder detail"),
        _event("lease.waiting", _INFO, "Another process delivers; this one stands by.", "holder"),
        _event("store.lost", _WARNING, "The database cannot be reached; tried again by itself.", "detail"),
        _event("store.recovered", _INFO, "The database can be reached again.", "", "duration_s"),
        _event("store.upgraded", _INFO, "The store's tables were brought to this version.", "revision"),
        _event("log.message", None, "A line of another library.", "logger detail", "exception"),
    )
}


def sift(name: str, fields: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return the fields that may be logged with an event, and what is wrong, worded for a programmer.

    A field that is None is left out. A problem names events, fields and types, never a value: it may be secret.
    """
    event = EVENTS.get(name)
    if event is None:
        near = get_close_matches(name, EVENTS, n=1)
        return {}, [f"{name} is not a declared event" + (f"; did you mean {near[0]}?" if near else "")]
    good: dict[str, object] = {}
    wrong: list[str] = []
    for each, value in fields.items():
        if value is None:
            continue
        allowed = event.fields.get(each)
        problem = allowed.problem(value) if allowed else f"{each} is not declared"
        if problem:
            wrong.append(f"{name}: {problem}")
        else:
            good[each] = value
    wrong += [f"{name} lacks {each}" for each in event.required if fields.get(each) is None]
    return good, wrong
