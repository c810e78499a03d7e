"""A month before its window opens: its data so far, against the mock, on a ledger that is thrown away.

Time is made up, so that a month is rehearsed in seconds: it begins when the window is open, and goes on only as
requests wait for their pace.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.errors import BadInput
from report_service.ports import CompletedRequest
from report_service.services.status import MonthStatus, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from report_service.domain.kinds import DeliveryKey
    from report_service.ports import Ledger, ReportApi, Request, SendCheck, Waiver
    from report_service.services.reconcile import Reconciler

T = TypeVar("T")
INTO_THE_WINDOW = timedelta(hours=1)
"""How far into its window a month is rehearsed."""
PATIENCE_S = 60.0
SHRUNK_PERCENT = 10
"""So much less than the month before is not yet worth a warning."""


class RehearsalClock:
    """Time that only goes by when somebody waits."""

    def __init__(self, start: datetime) -> None:
        """Take the moment at which it begins, aware."""
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """Return the made-up time."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return the seconds that were waited."""
        return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        """Let so much time go by at once."""
        self._elapsed_s += max(seconds, 0.0)


class InlineExecutor:
    """Exchanges each request where it is submitted: the mock answers at once."""

    def __init__(self, api: ReportApi, clock: RehearsalClock, *, capacity: int) -> None:
        """Take what answers, and how many may be submitted before the answers are fetched."""
        self.capacity = capacity
        self._api = api
        self._clock = clock
        self._ended: list[CompletedRequest] = []

    def submit(self, request: Request, send_check: SendCheck) -> None:
        """Exchange the request."""
        started = self._clock.monotonic()
        response = self._api.exchange(request, send_check)
        ended = self._clock.monotonic()
        self._ended.append(CompletedRequest(request=request, response=response, started=started, ended=ended))

    def completed(self, timeout_s: float) -> list[CompletedRequest]:
        """Return what has ended; if nothing has, let the time go by."""
        ended, self._ended = self._ended, []
        if not ended:
            self._clock.sleep(timeout_s)
        return ended

    def close(self) -> None:
        """Nothing is ever under way."""


class NoBackground:
    """Nothing goes on beside a rehearsal: its lease is nobody else's."""

    def every(self, _seconds: float, _call: Callable[[], None]) -> Callable[[], None]:
        """Call nothing."""
        return lambda: None

    def within(self, _seconds: float, call: Callable[[], T]) -> T:
        """Return what a call returns, whatever it takes."""
        return call()

    def lock(self) -> AbstractContextManager[object]:
        """Return what holds nobody back."""
        return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a rehearsal came to."""

    status: MonthStatus
    doubts: list[str]  # what is wrong, and belongs to no single report
    requests: int
    duration_s: float  # how long the real thing would take at the configured pace

    @property
    def warnings(self) -> list[str]:
        """Return all that is odd, and belongs to no single report."""
        return [*self.doubts, *map(str, self.status.implausible)]

    def as_json(self) -> dict[str, object]:
        """Return it as `rehearse --json` prints it: what `status --json` has, and more."""
        return self.status.as_json() | {
            "warnings": self.warnings,
            "requests": self.requests,
            "duration_s": self.duration_s,
        }


def moment_for(month: ReportMonth, *, at: datetime, guard_s: float) -> datetime:
    """Return when a month is rehearsed: now, if it can be sent; else soon after its window opens.

    Raise BadInput for a month whose window has closed.
    """
    window = SubmissionWindow.of(month, guard_s=guard_s)
    if at >= window.last_send:
        raise BadInput(
            f"the window of {month} has closed: there is nothing to rehearse",
            hint=f"Rehearse the running month, {ReportMonth.previous(at).shift(1)}, which is the default.",
        )
    return max(at, window.first_send + INTO_THE_WINDOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """One month's rehearsal."""

    ledger: Ledger  # thrown away afterwards
    reconciler: Reconciler
    clock: RehearsalClock
    waivers: Mapping[DeliveryKey, Waiver]  # as the real ledger has them
    expected_before: int  # reports that were due the month before, as the real ledger has it
    guard_s: float
    requests_per_minute: float

    def run(self, month: ReportMonth) -> Rehearsed:
        """Plan and deliver; raise what kept it from its end: SourceUnavailable, NothingDue, StoreUnavailable."""
        for waiver in self.waivers.values():
            self.ledger.waivers.declare(waiver)
        result = self.reconciler.reconcile(month, trigger="rehearse", patience_s=PATIENCE_S)
        if result.error is not None:
            raise result.error
        status = status_of(
            self.ledger,
            month,
            at=self.clock.now(),
            guard_s=self.guard_s,
            requests_per_minute=self.requests_per_minute,
        )
        doubts = list(result.plan.problems) if result.plan is not None else []
        expected = status.month_counts.expected
        if 100 * expected < (100 - SHRUNK_PERCENT) * self.expected_before:
            doubts.append(
                f"only {expected:,} reports are due, {self.expected_before:,} were the month before: "
                "see that hubs, points and provider groups are all there"
            )
        return Rehearsed(
            status=status,
            doubts=doubts,
            requests=result.stats.requests if result.stats is not None else 0,
            duration_s=round(self.clock.monotonic(), 1),
        )
