"""How a month stands, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import State
from report_service.domain.months import SubmissionWindow
from report_service.services.outlook import outlook
from report_service.services.planning.screening import screen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from report_service.domain.forecast import Forecast
    from report_service.domain.months import ReportMonth
    from report_service.domain.plausibility import Implausible
    from report_service.ports import DeliveryStatus, Ledger, MonthCounts, RunRecord

REASONS: Mapping[State, str] = {
    State.PENDING: "not sent yet",
    State.IN_FLIGHT: "sent, the answer is not recorded",
    State.RETRYING: "did not get through yet",
    State.MISSED: "the window closed before it was sent",
    State.UNRESOLVED: "the window closed while it was unknown whether it had arrived",
    State.ALREADY_REPORTED: "a report exists that is not known to be ours",
}
"""What a state says by itself, where the ledger holds no words."""

NEXT_STEPS: Mapping[State, str] = {
    State.AWAITING_DATA: 'deliver the row, or: report-service waive KEY --reason "why there is none"',
    State.INVALID: "mend the row; the next run sends it",
    State.REJECTED: "mend the row; the next run sends it. Where the row is right: report-service retry KEY",
    State.PENDING: "the next run sends it",
    State.IN_FLIGHT: "the next run asks the API again",
    State.RETRYING: "tried again by itself",
    State.MISSED: "hand it in by other means (report-service backfill), then record it: report-service handed-in",
    State.UNRESOLVED: "ask the authority whether it has it (report-service backfill), "
    "then record it: report-service handed-in",
    State.ACCEPTED: "the store has other figures than the API now: if they are right, report-service correct",
}
"""What a person does about a report in a state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthStatus:
    """Expected against delivered."""

    month: ReportMonth
    endpoint: str
    window: SubmissionWindow
    at: datetime
    month_counts: MonthCounts
    outstanding: list[DeliveryStatus]
    outlook: Forecast | None
    last_run: RunRecord | None
    implausible: list[Implausible]  # figures that can hardly be meant

    @property
    def window_open(self) -> bool:
        """Return True if reports may be sent now, by our clock."""
        return self.window.is_open(self.at)

    def reason(self, report: DeliveryStatus) -> str:
        """Return why a report is outstanding."""
        words = report.reason or REASONS.get(report.state, "")
        if report.drift:
            return f"the store says something else than was delivered{': ' + words if words else ''}"
        return words

    def as_json(self) -> dict[str, object]:
        """Return it as `status --json` prints it; instants are ISO 8601, UTC."""
        counts = {state.value: self.month_counts.count([state]) for state in State}
        return {
            "month": str(self.month),
            "endpoint": self.endpoint,
            "window": {
                "opens": iso(self.window.opens),
                "closes": iso(self.window.closes),
                "open": self.window_open,
            },
            "expected": self.month_counts.expected,
            "by_state": counts,
            "drifted": self.month_counts.drifted,
            "by_kind": {kind.name: _kind(states) for kind, states in self.month_counts.by_kind.items()},
            "complete": self.month_counts.complete,
            "inventory_doubt": self.month_counts.inventory_doubt or None,
            "outstanding": [
                {
                    "key": str(report.key),
                    "state": report.state.value,
                    "reason": self.reason(report),
                    "next_attempt_at": iso(report.next_attempt_at),
                }
                for report in self.outstanding
            ],
            "warnings": [str(one) for one in self.implausible],
            "forecast": self.outlook and {"done_at": iso(self.outlook.done_at), "in_time": self.outlook.in_time},
        }


def status_of(
    ledger: Ledger, month: ReportMonth, *, at: datetime, guard_s: float, requests_per_minute: float
) -> MonthStatus:
    """Return how a month stands; the forecast takes the configured pace."""
    window, month_counts = SubmissionWindow.of(month, guard_s=guard_s), ledger.status.month_counts(month)
    last_run = ledger.runs.last(month)
    # What is planned only changes with a run, and a run says whether it found anything.
    nothing_odd = last_run is not None and last_run.summary.get("implausible_figures") == 0
    return MonthStatus(
        month=month,
        endpoint=ledger.endpoint,
        window=window,
        at=at,
        month_counts=month_counts,
        outstanding=ledger.status.outstanding(month),
        outlook=outlook(ledger.attempts, month_counts, window, at=at, rate_per_minute=requests_per_minute),
        last_run=last_run,
        implausible=[] if nothing_odd else screen(month, ledger.plans.planned_rows),
    )


def _kind(states: Mapping[State, int]) -> dict[str, int]:
    return {"expected": sum(states.values()), **{state.value: states.get(state, 0) for state in State}}


def iso(at: datetime | None, *, timespec: str = "seconds") -> str | None:
    """Return an instant as programs are told it: ISO 8601, UTC, with Z."""
    return at.isoformat(timespec=timespec).replace("+00:00", "Z") if at else None
