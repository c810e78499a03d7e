"""What the services need from outside, as protocols; the adapters fulfil them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from report_service.domain.delivery import DONE, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from report_service.domain.answers import Answer, Outcome
    from report_service.domain.delivery import Delivery
    from report_service.domain.faults import Faults
    from report_service.domain.forms import Form
    from report_service.domain.inventory import Inventory
    from report_service.domain.kinds import DeliveryKey, Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import Change, Planned, Rendered
    from report_service.domain.reports import Report


class Clock(Protocol):
    """Time, as the outside world has it."""

    def now(self) -> datetime:
        """Return the wall clock's time: aware, UTC."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, from an arbitrary start."""

    def sleep(self, seconds: float) -> None:
        """Wait; zero and less return at once."""


class Events(Protocol):
    """Where the services say what happened: the log contract of `events`."""

    def emit(self, event: str, /, **fields: object) -> None:
        """Say one declared event; a field that is None is left out."""

    def bind(self, **fields: object) -> Events:
        """Return a sink that adds these fields to each event."""


# --- the API


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, ready to go out but for the moment."""

    request_id: str  # UUID; X-Request-ID
    verb: str
    path: str  # below the API's host; for a token request what is shown of its URL
    body: bytes = field(repr=False)
    token: str | None = field(default=None, repr=False)  # None: the token request itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token."""

    value: str = field(repr=False)
    refresh_at: float  # monotonic seconds; from then on it is not used any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A request and what came of it."""

    request: Request
    answer: Answer
    started: float  # monotonic seconds
    ended: float


Permit = Callable[[], str | None]
"""Asked at the moment a request goes out: None, or why it must not (law 1, the lease)."""


class ReportApi(Protocol):
    """The authority's API: what is sent to it and what its tokens say."""

    def token_request(self, request_id: str) -> Request:
        """Return the request for a new token."""

    def read_token(self, answer: Answer, *, at: float) -> Token:
        """Return the token that an answer brings (`at`: monotonic).

        Raise CredentialsRefused if it brings none, ApiUnavailable if there was no answer to speak of.
        """

    def exchange(self, request: Request, permit: Permit) -> Answer:
        """Send, and return what came back; never raises for what the network does.

        `permit` is asked last of all; if it gives a reason, nothing is sent and the answer says so
        (`sent=False`).
        """


class Exchanges(Protocol):
    """Requests under way: workers that only exchange bytes, and are told nothing else."""

    capacity: int
    """How many may be under way at once."""

    def start(self, request: Request, permit: Permit) -> None:
        """Let a free worker exchange the request."""

    def finished(self, timeout_s: float) -> Sequence[Exchanged]:
        """Return what has ended; wait up to `timeout_s` seconds for the first one if nothing has."""

    def close(self) -> None:
        """Abandon what is under way; its end stays unknown."""


class Pacer(Protocol):
    """Law 5: when the next request may go out. All times are monotonic seconds."""

    def seed(self, sent: Iterable[Sent], *, at: float) -> None:
        """Count requests of the last minute that this process did not send, or not in this run."""

    def wait_s(self, at: float) -> float:
        """Return the seconds until a request may go out; 0: now."""

    def granted(self, request_id: str, at: float) -> None:
        """Count a request as going out now."""

    def ended(self, request_id: str, at: float) -> None:
        """Note that its answer, or its failure, is in: it cannot arrive any later than this."""

    def throttled(self, at: float, *, started: float, retry_after_s: float | None) -> float | None:
        """Slow down after a 429 that came at `at` to a request that began at `started`.

        Return the new rate a minute if this begins a slowing, None within one.
        """

    def rate_per_minute(self, at: float) -> float:
        """Return the pace as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request that went out before, by its age in seconds."""

    started_ago_s: float
    ended_ago_s: float | None  # None: its end is unknown
    throttled: bool = False  # it was answered 429


# --- figures: out of the source, into the canonical tables, towards the API


class ReportSource(Protocol):
    """The operator's figures, as raw as they are stored. Any call raises SourceUnavailable, StoreUnavailable."""

    def inventory(self, month: ReportMonth) -> Inventory:
        """Return everything that may be reported on, with what is wrong with it."""

    def rows(self, kind: Kind, month: ReportMonth) -> Iterator[Mapping[str, object]]:
        """Yield the raw rows of one kind and month as they are read; their columns are those of the CSV file."""


class Renderer(Protocol):
    """Reports as the API takes them: the same figures always make the same bytes."""

    def create(self, report: Report) -> Rendered:
        """Return what creates a report (POST)."""

    def correction_of(self, key: DeliveryKey, path: str, body: bytes, *, obelis_id: str | None) -> Rendered:
        """Return what makes an accepted report say what a create body says (PUT).

        `path` is the one that created it, `obelis_id` what the API answered then. Raise ConfigurationError
        when the configured paths cannot name the report.
        """


class TableFile(Protocol):
    """A file with rows for one table."""

    @property
    def form(self) -> Form:
        """Return the form of that table."""

    @property
    def name(self) -> str:
        """Return the file's name, as a person gave it."""

    def rows(self, progress: Callable[[int], None]) -> Iterator[tuple[int, Mapping[str, object] | Faults]]:
        """Yield each row's first line (from 1) and raw values, or why it is no row.

        Call `progress` with the bytes read since the last call. Raise BadInput for a file that is no table.
        """


class Intake(Protocol):
    """The canonical tables, to be filled."""

    def upsert(self, form: Form, rows: Iterable[Mapping[str, object]]) -> None:
        """Insert rows, or replace those with the same key, in one transaction; raise StoreUnavailable.

        When `rows` raises, nothing is stored.
        """


# --- the ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to deliver to one endpoint, until it must be renewed."""

    endpoint: str
    holder: str
    fence: int  # grows with each change of holder; what is written under an older one is refused
    valid_until: float  # monotonic seconds of the holder: 10 s before the store lets another have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A request that is about to go out."""

    request: Request
    delivery: int | None  # the ledger's row; None: a token request
    payload_sha256: str | None
    run_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a request, and what that makes of its report."""

    request_id: str
    ended_at: datetime
    duration_s: float
    http_status: int | None
    outcome: Outcome
    answer: str  # an excerpt
    delivery: Delivery | None = None  # as it is from now on; None: a token request


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A person's word that there is nothing to report."""

    key: DeliveryKey
    reason: str
    declared_by: str
    declared_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How a month stands: due reports by kind and state."""

    month: ReportMonth
    by_kind: Mapping[Kind, Mapping[State, int]]
    drifted: int
    unsettled: int  # due reports with an attempt of unknown end

    @property
    def expected(self) -> int:
        """Return how many reports are due."""
        return sum(sum(states.values()) for states in self.by_kind.values())

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
        """Say whether there is something due and all of it is done."""
        return self.expected > 0 and self.count(DONE) == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One report as a person is shown it."""

    key: DeliveryKey
    state: State
    reason: str
    next_attempt_at: datetime | None
    unsettled: bool
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


class Ledger(Protocol):
    """What is due, what was sent, and what became of it: for one endpoint and CPO.

    Each call is one short transaction, durable when it returns. Any of them raises StoreUnavailable; those
    that take a lease raise LeaseLost, and leave the deliveries as they were, when it is not the newest.
    """

    endpoint: str

    # planning
    def planned(self, month: ReportMonth, kind: Kind) -> dict[str, Planned]:
        """Return what is known, by subject, of one kind's reports."""

    def save_plan(
        self, month: ReportMonth, kind: Kind, changes: Sequence[Change], *, at: datetime, lease: Lease
    ) -> None:
        """Write changes of one kind's reports."""

    def drop_undue(self, month: ReportMonth, kind: Kind, subjects: Sequence[str], *, lease: Lease) -> None:
        """Take reports out of what is expected: those never sent are deleted, the others kept as not due."""

    def waivers(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        """Return the waivers of a month."""

    def waive(self, waiver: Waiver) -> None:
        """Record a waiver; a newer one for the same report replaces it."""

    def unwaive(self, key: DeliveryKey) -> bool:
        """Take a waiver back; say whether there was one."""

    # delivering
    def due(self, month: ReportMonth, *, at: datetime, limit: int) -> list[Delivery]:
        """Return due reports that may be sent at `at`, in the order of sending: untried first, then by kind."""

    def waiting(self, month: ReportMonth) -> tuple[datetime, datetime] | None:
        """Return when the first and the last of the reports that wait for their time are due; None: none waits."""

    def record(self, ended: Sequence[Ended], intents: Sequence[Intent], *, lease: Lease) -> None:
        """Write outcomes and intents in one transaction; with a lost lease only the attempts' outcomes."""

    def adopt(self, *, at: datetime, timeout_s: float, lease: Lease) -> int:
        """Make every report that a former holder left in flight an unknown end; return how many there were.

        Each is due again `timeout_s` after its request went out.
        """

    def sent_since(self, ago_s: float, *, at: datetime) -> list[Sent]:
        """Return the requests, token requests included, that began or ended in the seconds before `at`."""

    def close_month(self, month: ReportMonth, *, at: datetime, lease: Lease) -> list[Standing]:
        """Make what is still open `missed` or `unresolved`; return those reports."""

    # the lease
    def acquire(self, holder: str, *, at: float) -> Lease | str:
        """Take the lease for 60 s; return it, or the name of the one who holds it."""

    def renew(self, lease: Lease, *, at: float) -> Lease:
        """Hold on for another 60 s; raise LeaseLost."""

    def release(self, lease: Lease) -> None:
        """Let another have it at once; nothing happens if it is lost already."""

    def holder(self) -> str | None:
        """Return who holds the lease, or held it last; None: nobody did yet."""

    # looking
    def tally(self, month: ReportMonth) -> Tally:
        """Count the due reports of a month."""

    def outstanding(self, month: ReportMonth, *, limit: int | None = None) -> list[Standing]:
        """Return the due reports that are not done, and those that drifted, in the order of keys."""

    def undelivered(self, month: ReportMonth) -> list[Undelivered]:
        """Return the due reports that are missed or unresolved, with what would have been sent, by key."""

    def months(self) -> list[ReportMonth]:
        """Return the months that the ledger knows, in order."""

    def last_completed(self) -> tuple[ReportMonth, datetime] | None:
        """Return the latest month with every due report delivered, and when the last of them changed.

        Looks back two years; None: there is none.
        """

    def begin_run(self, run: RunRecord, *, instance: str) -> None:
        """Record that a run began."""

    def end_run(self, run: RunRecord, *, summary: Mapping[str, object]) -> None:
        """Record how it ended."""

    def last_run(self, month: ReportMonth) -> RunRecord | None:
        """Return the newest run of a month."""


# --- the daemon's pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What the daemon leaves behind at each heartbeat; times are monotonic seconds, one clock for the machine."""

    instance: str
    beat_at: float
    stale_after_s: float
    moved_at: float
    store: str | None  # why the store could not be read
    failing: str | None
    crashed: str | None
    crashes: int
