"""The whole story of one report: what the source says, what was sent, what came back, and what happens next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from report_service.domain.delivery import DONE, OVER, State, is_stuck
from report_service.domain.kinds import KIND_BY_NAME, DeliveryKey
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.domain.reports import read_report
from report_service.domain.responses import Outcome
from report_service.domain.routes import Routes
from report_service.domain.table_schemas import CONFLICT, REPORT_SCHEMAS
from report_service.errors import BadInput, UnknownDelivery
from report_service.services.status import NEXT_STEPS, REASONS, iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from report_service.domain.field_errors import FieldErrors
    from report_service.domain.planning import Payload
    from report_service.ports import AttemptRecord, HandIn, Ledger, Renderer, ReportRecord, Waiver

NEAREST = 5
"""How many keys are named to someone who got one wrong."""
MEANINGS: Mapping[Outcome | None, str] = {
    Outcome.ACCEPTED: "the API took it",
    Outcome.REJECTED: "the API refused the data",
    Outcome.OUT_OF_WINDOW: "by the API's calendar its month could not be reported at that time",
    Outcome.UNAUTHORIZED: "the token was not accepted",
    Outcome.FORBIDDEN: "the token lacked permission",
    Outcome.NOT_FOUND: "the API did not know the hub, the point or the path",
    Outcome.CONFLICT: "the API had a report already",
    Outcome.THROTTLED: "too many requests at that time",
    Outcome.SERVER_ERROR: "the API failed: it may have been stored all the same",
    Outcome.UNREADABLE: "the answer could not be understood: it may have been stored",
    Outcome.MISDIRECTED: "a redirect, which is never followed",
    Outcome.REFUSED: "the API would not take it so",
    Outcome.NOT_SENT: "it never left",
    Outcome.NO_ANSWER: "nothing usable came back: it may have arrived",
    None: "the answer was never recorded",
}
"""What the end of an attempt means; None: it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is known of one report, and what follows from it."""

    report: ReportRecord
    waiver: Waiver | None
    hand_in: HandIn | None
    window: SubmissionWindow
    at: datetime
    faults: FieldErrors  # what is wrong with the source's row
    desired: Payload | None  # what would create the report as the source has it now; None: nothing can be sent

    @property
    def row(self) -> Mapping[str, Any] | None:
        """Return the source's row as it is written there; None: there is none, or several."""
        found = json.loads(self.report.source) if self.report.source is not None else None
        if not isinstance(found, dict):
            return None
        return {name: value for name, value in found.items() if name != CONFLICT or value is not None}

    @property
    def table(self) -> str:
        """Return the name of the source's table."""
        return REPORT_SCHEMAS[self.report.key.kind].name

    @property
    def done(self) -> bool:
        """Return True if nobody has to do anything about it."""
        return not self.report.due or (self.report.state in DONE and not self.report.drift)

    @property
    def sent(self) -> Mapping[str, Any]:
        """Return the fields of what was sent, or is to be."""
        return json.loads(self.report.body) if self.report.body is not None else {}

    @property
    def now(self) -> Mapping[str, Any]:
        """Return the fields that the source would send now; empty if none can be."""
        return json.loads(self.desired.body) if self.desired is not None else {}

    @property
    def reason(self) -> str:
        """Return why it is where it is."""
        return self.report.detail or REASONS.get(self.report.state, "")

    @property
    def differences(self) -> list[tuple[str, Any, Any]]:
        """Return (field, as delivered, as the source has it now) for each field that changed after delivery."""
        if self.report.state not in DONE or self.desired is None:
            return []
        sent, now = self.sent, self.now
        pairs = ((name, sent.get(name), now.get(name)) for name in dict.fromkeys((*sent, *now)))
        return [(name, before, after) for name, before, after in pairs if before != after]

    @property
    def next(self) -> str:
        """Return what happens next, by whom, and by when."""
        report, state = self.report, self.report.state
        if not report.due:
            return "nothing: it is no longer due, and kept because it was sent"
        if self.done:
            return "nothing: it is done"
        closes = f"the window closes {iso(self.window.closes)}"
        step = NEXT_STEPS[State.ACCEPTED if state in DONE else state].replace("KEY", str(report.key))
        if state in DONE | OVER:
            return step
        if self.at >= self.window.closes:
            return "the next run records that the window has closed: report-service backfill"
        if report.next_attempt_at is not None:
            stuck = is_stuck(report.last_outcome, report.consecutive_failures)
            person = ", but it will hardly mend by itself: see to what the API says" if stuck else ""
            return f"tried again by itself at {iso(report.next_attempt_at)}{person}; {closes}"
        return f"{step}; {closes}"

    def as_json(self) -> dict[str, object]:
        """Return it as `explain --json` prints it; instants are ISO 8601, UTC."""
        report = self.report
        return {
            **report.standing(),
            "reason": self.reason,
            "table": self.table,
            "source": self.row,
            "faults": [{"column": one.column, "value": str(one.value), "rule": one.rule} for one in self.faults],
            "path": report.path or None,
            "body": None if report.body is None else report.body.decode(),
            "sha256": report.payload_sha256,
            "differences": [
                {"field": name, "delivered": before, "now": after} for name, before, after in self.differences
            ],
            "obelis_id": report.obelis_id,
            "attempts": [_attempt(one) for one in report.attempts],
            "waiver": self.waiver
            and {
                "reason": self.waiver.reason,
                "declared_by": self.waiver.declared_by,
                "declared_at": iso(self.waiver.declared_at),
            },
            "handed_in": self.hand_in
            and {
                "reference": self.hand_in.reference,
                "declared_by": self.hand_in.declared_by,
                "declared_at": iso(self.hand_in.declared_at),
            },
            "window": {"opens": iso(self.window.opens), "closes": iso(self.window.closes)},
            "next_attempt_at": iso(report.next_attempt_at),
            "next": self.next,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explaining:
    """Tells the stories of one ledger's reports."""

    ledger: Ledger
    renderer: Renderer
    routes: Routes
    guard_s: float

    def story(self, text: str, *, at: datetime) -> Story:
        """Return the story of a key; raise UnknownDelivery, which names the nearest keys, or BadInput."""
        key = self._key(text)
        report = self.ledger.history.report(key)
        if report is None:
            raise UnknownDelivery(f"the ledger knows no report {key}", hint=self._nearest(key))
        return self.of(report, at=at)

    def of(self, report: ReportRecord, *, at: datetime) -> Story:
        """Return the story of a report."""
        key = report.key
        faults, desired = self._read(report)
        return Story(
            report=report,
            waiver=self.ledger.waivers.of(key.month).get(key),
            hand_in=self.ledger.hand_ins.of(key.month).get(key),
            window=SubmissionWindow.of(key.month, guard_s=self.guard_s),
            at=at,
            faults=faults,
            desired=desired,
        )

    def _key(self, text: str) -> DeliveryKey:
        try:
            return DeliveryKey.parse(text)
        except BadInput as bad:
            month, _, rest = text.strip().partition("/")
            kind = next(iter(get_close_matches(rest.partition("/")[0], KIND_BY_NAME, n=1)), None)
            if kind is None or not rest or month not in map(str, self.ledger.status.months()):
                raise
            hint = self._nearest(DeliveryKey(ReportMonth.parse(month), KIND_BY_NAME[kind], rest.partition("/")[2]))
            raise UnknownDelivery(bad.message, hint=hint) from None

    def _nearest(self, key: DeliveryKey) -> str:
        """Return a hint with the keys that are most like one that is not there."""
        known = self.ledger.history.subjects(key.month, key.kind)
        if not known:
            months = self.ledger.status.months()
            shown = ", ".join(map(str, months[-3:]))
            other = f"It knows {shown}." if months else "It is empty: no run has planned a month yet."
            return f"The ledger knows no {key.kind} of {key.month}. {other}"
        near = get_close_matches(key.subject, known, n=NEAREST, cutoff=0.6) if key.subject else []
        names = [str(DeliveryKey(key.month, key.kind, subject)) for subject in near or sorted(known)[:NEAREST]]
        return f"{'The nearest' if near else 'It has'}: {', '.join(names)}."

    def _read(self, report: ReportRecord) -> tuple[FieldErrors, Payload | None]:
        """Return what is wrong with the source's row, or what it would be sent as."""
        row = json.loads(report.source) if report.source is not None else None
        if not isinstance(row, dict):
            return (), None
        places = Routes.match(self.routes.create[report.key.kind], report.path) or {}
        read = read_report(report.key.kind, report.key.month, row, hub_id=places.get("hub_id", ""))
        if isinstance(read, tuple):
            return read, None
        return (), self.renderer.create(read)


def _attempt(one: AttemptRecord) -> dict[str, object]:
    return {
        "request_id": one.request_id,
        "run_id": one.run_id,
        "verb": one.verb,
        "path": one.path,
        "sha256": one.payload_sha256,
        "started_at": iso(one.started_at, timespec="milliseconds"),
        "ended_at": iso(one.ended_at, timespec="milliseconds"),
        "http_status": one.http_status,
        "outcome": one.outcome and one.outcome.value,
        "meaning": MEANINGS[one.outcome],
        "answer": one.answer,
    }
