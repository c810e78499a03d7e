"""The ledger: what is due, what was sent, and what became of it; one port a role.

A ledger is about one endpoint and CPO. Each call of its ports is one short transaction, durable when it returns.
Any of them raises StoreUnavailable; those that take a lease raise LeaseLost, and leave the deliveries as they
were, when it is not the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from report_service.domain.delivery import DONE, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from report_service.domain.correction import Correction
    from report_service.domain.delivery import Delivery
    from report_service.domain.inventory_check import InventoryRecord
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery, PlannedChange
    from report_service.domain.rate_limiter import RecentRequest
    from report_service.domain.responses import Outcome
    from report_service.ports.api import Request
    from report_service.ports.history import EvidenceLog, History


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to deliver to one endpoint, until it must be renewed."""

    endpoint: str
    holder: str
    fence: int  # grows with each change of holder; what is written under an older one is refused
    valid_until: float  # monotonic seconds of the holder: 10 s before the store lets another have it


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStart:
    """A request that is about to go out."""

    request: Request
    delivery: int | None  # the ledger's row; None: a token request
    payload_sha256: str | None
    run_id: str
    started_at: datetime
    correction: Correction | None = None  # what it puts right; None: it creates a report, or asks for a token


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What became of a request, and what that makes of its report."""

    request_id: str
    ended_at: datetime
    duration_s: float
    http_status: int | None
    outcome: Outcome
    answer: str  # an excerpt
    delivery: Delivery | None = None  # as it is from now on; None: a token request
    full_answer: str = ""  # for the evidence, secrets out; "": the excerpt is all there is
    verb: str = "POST"
    path: str = ""  # that the request went to; "": the delivery's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A person's word that there is nothing to report."""

    key: DeliveryKey
    reason: str
    declared_by: str
    declared_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """A person's word that a report was handed in by other means, after its window closed."""

    key: DeliveryKey
    reference: str  # where it can be found again
    declared_by: str
    declared_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCounts:
    """How a month stands: due reports by kind and state."""

    month: ReportMonth
    by_kind: Mapping[Kind, Mapping[State, int]]
    drifted: int
    in_doubt: int  # due reports with an attempt of unknown end
    inventory_doubt: str = ""  # why the inventory that says what is due is not to be believed; empty: it is

    @property
    def due_by_kind(self) -> dict[Kind, int]:
        """Return how many reports are due of each kind."""
        return {kind: sum(states.values()) for kind, states in self.by_kind.items()}

    @property
    def expected(self) -> int:
        """Return how many reports are due."""
        return sum(self.due_by_kind.values())

    @property
    def by_state(self) -> dict[State, int]:
        """Return how many due reports are in each state that any is in."""
        total = {state: sum(kind.get(state, 0) for kind in self.by_kind.values()) for state in State}
        return {state: count for state, count in total.items() if count}

    def count(self, states: Iterable[State]) -> int:
        """Return how many due reports are in one of these states."""
        found = self.by_state
        return sum(found.get(state, 0) for state in states)

    @property
    def complete(self) -> bool:
        """Return True if there is something due, all of it is done, and the inventory is to be believed (law 7).

        This is what complete means, wherever it is said.
        """
        return self.expected > 0 and self.count(DONE) == self.expected and not self.inventory_doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStatus:
    """One report as a person is shown it."""

    key: DeliveryKey
    state: State
    reason: str
    next_attempt_at: datetime | None
    in_doubt: bool
    drift: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """A report that a closed window left undelivered."""

    key: DeliveryKey
    state: State  # missed or unresolved
    reason: str
    path: str
    payload_sha256: str | None
    body: bytes | None  # what would have been sent; None: there was nothing to send


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, as the ledger keeps it."""

    run_id: str
    month: ReportMonth
    started_by: str
    started_at: datetime
    ended_at: datetime | None = None
    result: str | None = None  # completed, failed, halted, interrupted; None while it runs, or after a kill
    detail: str = ""
    instance: str = ""  # the process that made it
    summary: Mapping[str, object] = field(default_factory=dict)  # the fields of its log line


class PlanStore(Protocol):
    """What is due."""

    def known_deliveries(self, month: ReportMonth, kind: Kind) -> dict[str, KnownDelivery]:
        """Return what is known, by subject, of one kind's reports."""

    def planned_rows(self, month: ReportMonth, kind: Kind) -> Iterator[Mapping[str, object]]:
        """Yield the source's rows, as raw as JSON keeps them, that the due reports of a kind were planned from."""

    def save_plan(
        self, month: ReportMonth, kind: Kind, changes: Sequence[PlannedChange], *, at: datetime, lease: Lease
    ) -> None:
        """Write changes of one kind's reports."""

    def withdraw(self, month: ReportMonth, kind: Kind, subjects: Sequence[str], *, lease: Lease) -> None:
        """Take reports out of what is expected; their rows stay, as not due."""

    def inventory_record(self, month: ReportMonth) -> InventoryRecord | None:
        """Return what is kept of a month's inventory; None: it was not planned yet."""

    def keep_inventory_record(self, month: ReportMonth, record: InventoryRecord, *, lease: Lease) -> None:
        """Keep it from now on, in place of what was kept before."""

    def put_back(self, reports: Sequence[KnownDelivery], *, at: datetime) -> bool:
        """Make reports due at once, as if never put off, if each is still in the state given.

        Needs no lease: a person's word. Else return False and write nothing: another process was at one of them.
        Raise IllegalTransition for a state that nothing is put back from.
        """


class WaiverStore(Protocol):
    """A CPO's waivers: facts about its data, so they hold for every endpoint.

    A row that anybody can write is as odd as any: what is no waiver counts for nothing, and is told.
    """

    def of(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        """Return the waivers of a month."""

    def faults(self, month: ReportMonth) -> list[str]:
        """Return what is wrong with the rows that may be meant for a month and are no waivers."""

    def declare(self, waiver: Waiver) -> None:
        """Record a waiver; a newer one for the same report replaces it."""

    def withdraw(self, key: DeliveryKey) -> bool:
        """Take a waiver back; return True if there was one."""


class HandInStore(Protocol):
    """What was handed in by other means; it holds for the endpoint whose window was missed."""

    def of(self, month: ReportMonth) -> Mapping[DeliveryKey, HandIn]:
        """Return what was handed in of a month."""

    def declare(self, reports: Sequence[tuple[KnownDelivery, HandIn]]) -> bool:
        """Make reports `handed_in`; return False, and change nothing, if one is not as it is known any more."""

    def withdraw(self, reports: Mapping[DeliveryKey, KnownDelivery], *, at: datetime) -> bool:
        """Make reports what they were before; return False, and change nothing, as `declare` does."""


class AttemptLog(Protocol):
    """What is to be sent, what went out, and what became of it."""

    def due(
        self, month: ReportMonth, kind: Kind, *, at: datetime, limit: int, tried: bool | None = None
    ) -> list[Delivery]:
        """Return due reports of a kind that may be sent at `at`, in the order of sending: what waited comes first.

        `tried`: only those that were sent before, or only those that were not.
        """

    def next_attempt(
        self, month: ReportMonth, kind: Kind | None = None, *, after: datetime | None = None
    ) -> datetime | None:
        """Return when the first of the reports that wait is due: of a kind, after an instant; None: none waits."""

    def last_attempt(self, month: ReportMonth) -> datetime | None:
        """Return when the last of the reports that wait for their time is due; None: none waits."""

    def refused(self, month: ReportMonth) -> Mapping[tuple[Kind, Outcome], int]:
        """Count the due reports whose last answer was a 400 or a 404, and which no other data replaced since."""

    def put_off_rejected(self, month: ReportMonth, kind: Kind, *, until: datetime, lease: Lease) -> int:
        """Make a kind's rejected reports due again at an instant, without a verdict on them; return how many."""

    def record(
        self, ended: Sequence[AttemptResult], starts: Sequence[AttemptStart], *, lease: Lease
    ) -> Sequence[AttemptStart]:
        """Write outcomes and intents in one transaction; with a lost lease only the attempts' outcomes.

        Return the starts that may go out: a correction whose report is not as it was any more is left out. Raise
        IllegalTransition, and write nothing, for a report that is to be created and is in flight or done.
        """

    def recover_in_flight(self, *, at: datetime, timeout_s: float, lease: Lease) -> int:
        """Make every report that a former holder left in flight an unknown end; return how many there were.

        Each is due again `timeout_s` after its request went out, by a clock that may have run ahead of ours.
        """

    def sent_since(self, ago_s: float, *, at: datetime) -> list[RecentRequest]:
        """Return the requests, token requests included, that began or ended in the seconds before `at`.

        What lies in the future is of another replica's clock, which is ahead, and counts as new; what lies further
        in it is of a clock that was put right since, and says nothing.
        """

    def close_month(self, month: ReportMonth, *, at: datetime, lease: Lease) -> list[DeliveryStatus]:
        """Make what is still open `missed` or `unresolved`; return those reports.

        What is not due any more and has an unknown end becomes `unresolved`, too, but nobody waits for it.
        """


class LeaseStore(Protocol):
    """Who delivers to the endpoint."""

    def acquire(self, holder: str, *, at: float) -> Lease | str:
        """Take the lease for 60 s; return it, or the name of the one who holds it.

        Its holder may take it anew, which ends the one before.
        """

    def renew(self, lease: Lease, *, at: float) -> Lease:
        """Hold on for another 60 s; raise LeaseLost if a newer holder is there."""

    def release(self, lease: Lease) -> None:
        """Let another have it at once; nothing happens if it is lost already."""

    def holder(self) -> str | None:
        """Return who holds the lease, or held it last; None: nobody did yet."""


class StatusQueries(Protocol):
    """How months stand: questions that change nothing."""

    def month_counts(self, month: ReportMonth) -> MonthCounts:
        """Count the due reports of a month by kind and state."""

    def outstanding(self, month: ReportMonth, *, limit: int | None = None) -> list[DeliveryStatus]:
        """Return the due reports that are not done, and those that drifted, in the order of keys."""

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        """Return the due reports that are missed or unresolved, with what would have been sent, by key."""

    def months(self) -> list[ReportMonth]:
        """Return the months that the ledger knows, in order."""

    def last_completed(self) -> tuple[ReportMonth, datetime] | None:
        """Return the latest month that is complete, and when the last of its reports changed.

        Looks back two years; None: there is none.
        """


class RunLog(Protocol):
    """The runs that were made, by whichever process."""

    def begin(self, run: RunRecord, *, instance: str) -> bool:
        """Record that a run began; return False if one of its id did already."""

    def end(self, run: RunRecord, *, summary: Mapping[str, object]) -> None:
        """Record how it ended."""

    def last(self, month: ReportMonth) -> RunRecord | None:
        """Return the newest run of a month; None: there was none."""

    def recent(self, *, month: ReportMonth | None, limit: int) -> list[RunRecord]:
        """Return the newest runs, newest first: of one month, or of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ports of one ledger, to be handed around as one; a service that needs only a few takes those."""

    endpoint: str
    instance: str  # names this process, in the lease and in the ledger
    plans: PlanStore
    waivers: WaiverStore
    hand_ins: HandInStore
    attempts: AttemptLog
    leases: LeaseStore
    status: StatusQueries
    history: History
    evidence: EvidenceLog
    runs: RunLog
