"""What the ledger knows of single reports, in full: for those who have to explain or to prove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from report_service.domain.delivery import Evidence, State
from report_service.domain.responses import Outcome

if TYPE_CHECKING:
    from datetime import datetime

    from report_service.domain.evidence import EvidenceLink
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One request that went out for a report; what came back is None as long as it is not recorded."""

    request_id: str
    run_id: str
    instance: str
    verb: str
    path: str
    payload_sha256: str | None
    started_at: datetime
    ended_at: datetime | None
    http_status: int | None
    outcome: Outcome | None
    answer: str | None  # an excerpt, in the API's own words
    body: bytes | None  # what was sent; None: the report's own body, as in most attempts, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRecord:
    """One report with everything that is known of it."""

    row: int  # the ledger's number
    key: DeliveryKey
    due: bool  # False: sent once, no longer expected
    state: State
    evidence: Evidence | None
    in_doubt: bool
    drift: bool
    echo_differs: bool
    path: str
    body: bytes | None  # what was sent, or is to be
    payload_sha256: str | None  # of the body
    source_sha256: str | None  # of what the source would send now
    source: str | None  # the row's raw values, JSON, as the last plan found them
    obelis_id: str | None
    consecutive_failures: int
    last_outcome: Outcome | None
    detail: str
    next_attempt_at: datetime | None
    updated_at: datetime
    attempts: tuple[AttemptRecord, ...]  # oldest first

    @property
    def settled_by(self) -> AttemptRecord | None:
        """Return the attempt whose answer brought a delivered report in: corrections came later."""
        if self.state not in {State.ACCEPTED, State.ALREADY_REPORTED}:
            return None
        confirmed = self.state is State.ACCEPTED and self.evidence is Evidence.CONFIRMED
        wanted = Outcome.ACCEPTED if confirmed else Outcome.CONFLICT
        return next((one for one in self.attempts if one.outcome is wanted), None)

    def standing(self) -> dict[str, object]:
        """Return how it stands, for JSON."""
        return {
            "key": str(self.key),
            "due": self.due,
            "state": self.state.value,
            "evidence": self.evidence and self.evidence.value,
            "in_doubt": self.in_doubt,
            "drift": self.drift,
        }


class History(Protocol):
    """Reports with all their attempts: questions that change nothing."""

    def report(self, key: DeliveryKey) -> ReportRecord | None:
        """Return what is known of one report; None: the ledger does not know it."""

    def reports(self, month: ReportMonth) -> list[ReportRecord]:
        """Return the reports of a month that are due, or were sent, in the order of keys."""

    def subjects(self, month: ReportMonth, kind: Kind) -> list[str]:
        """Return what the reports of a month and kind are about."""


class EvidenceLog(Protocol):
    """The chain of evidence of each month; it grows as outcomes are recorded."""

    def head(self, month: ReportMonth) -> str | None:
        """Return the hash of a month's last entry; None: there is none yet."""

    def links(self, month: ReportMonth) -> list[EvidenceLink]:
        """Return a month's entries with their hashes, in the order in which they were written."""

    def span(self) -> tuple[ReportMonth, ReportMonth] | None:
        """Return the first month with an entry, and the last with one that says accepted; None: there is none."""

    def drop(self, month: ReportMonth) -> int:
        """Drop a month's entries, its attempts, and requests for tokens of before its window closed.

        Return how many attempts. What became of its reports, and their bodies, stay.
        """
