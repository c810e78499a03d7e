"""What one process needs to deliver months, and what it remembers of the API from run to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from report_service.domain.api_clock import ApiClock
from report_service.services.delivery.backlog import ReportBacklog
from report_service.services.delivery.circuits import Circuits
from report_service.services.delivery.corrections import CorrectionRefusals
from report_service.services.delivery.dispatcher import Dispatcher
from report_service.services.delivery.gate import SendGate
from report_service.services.delivery.outcomes import OutcomeHandler
from report_service.services.delivery.refusal_watch import RefusalWatch
from report_service.services.delivery.run_stats import RunStats
from report_service.services.delivery.token_cache import TokenCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.delivery import RetryPolicy
    from report_service.domain.months import SubmissionWindow
    from report_service.ports import (
        AttemptLog,
        Clock,
        Events,
        RateLimiter,
        ReportApi,
        RequestExecutor,
        StatusQueries,
    )
    from report_service.services.delivery.backlog import Backlog
    from report_service.services.delivery.corrections import CorrectionBacklog
    from report_service.services.delivery.lease_keeper import LeaseKeeper

LOOK_BACK_S = 100.0
"""How far back requests count into the pace: a minute, and the time that one may take."""
NO_END = datetime.max.replace(tzinfo=UTC)
"""When the window of what has none ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryService:
    """Makes a dispatcher for each run."""

    attempts: AttemptLog
    status: StatusQueries
    api: ReportApi
    executor: RequestExecutor
    new_rate_limiter: Callable[[], RateLimiter]  # one a run, told what the ledger knows of the last minute
    clock: Clock
    retry: RetryPolicy
    uniform: Callable[[], float]  # random, 0..1
    new_id: Callable[[], str]  # UUIDs
    redact: Callable[[str], str]  # takes secrets out of what the API says
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    timeout_s: float  # of one request
    grace_s: float  # how long a process that is to end waits for what is in flight
    api_clock: ApiClock = field(default_factory=ApiClock)
    tokens: TokenCache = field(default_factory=TokenCache)
    circuits: Circuits = field(default_factory=Circuits)

    def dispatcher(
        self, window: SubmissionWindow, *, run_id: str, lease: LeaseKeeper, events: Events, patience_s: float
    ) -> Dispatcher:
        """Return what delivers the window's month in one run; raise StoreUnavailable."""
        stats = self._stats()
        refusals = RefusalWatch.of(
            self.status.month_counts(window.month),
            self.attempts.refused(window.month),
            events=events,
            stats=stats,
        )
        backlog = ReportBacklog(attempts=self.attempts, month=window.month, clock=self.clock)
        return self._dispatcher(
            window, backlog, refusals, run_id=run_id, lease=lease, events=events, patience_s=patience_s
        )

    def corrector(
        self, backlog: CorrectionBacklog, *, run_id: str, lease: LeaseKeeper, events: Events, patience_s: float
    ) -> Dispatcher:
        """Return what sends corrections, which have no window; raise StoreUnavailable."""
        refusals = CorrectionRefusals.begin(events=events, stats=self._stats())
        return self._dispatcher(
            None, backlog, refusals, run_id=run_id, lease=lease, events=events, patience_s=patience_s
        )

    def _stats(self) -> RunStats:
        now = self.clock.monotonic()
        return RunStats(began_at=now, progress_at=now)

    def _dispatcher(
        self,
        window: SubmissionWindow | None,
        backlog: Backlog,
        refusals: RefusalWatch,
        *,
        run_id: str,
        lease: LeaseKeeper,
        events: Events,
        patience_s: float,
    ) -> Dispatcher:
        """Return the dispatcher of one run.

        It begins with one request, until the API has proven that it answers.
        """
        stats, rate_limiter = refusals.stats, self.new_rate_limiter()
        rate_limiter.restore(self.attempts.sent_since(LOOK_BACK_S, at=self.clock.now()), at=self.clock.monotonic())
        self.circuits.proven = False
        gate = SendGate(
            window=window,
            clock=self.clock,
            api_clock=self.api_clock,
            lease=lease,
            circuits=self.circuits,
            refusals=refusals,
            rate_limiter=rate_limiter,
            tokens=self.tokens,
            stats=stats,
            stop=self.stop,
            capacity=self.executor.capacity,
        )
        outcomes = OutcomeHandler(
            api=self.api,
            clock=self.clock,
            events=events,
            rate_limiter=rate_limiter,
            api_clock=self.api_clock,
            tokens=self.tokens,
            circuits=self.circuits,
            refusals=refusals,
            stats=stats,
            last_send=window.last_send if window else NO_END,
            retry=self.retry,
            uniform=self.uniform,
            redact=self.redact,
        )
        return Dispatcher(
            attempts=self.attempts,
            lease=lease,
            gate=gate,
            backlog=backlog,
            outcomes=outcomes,
            stats=stats,
            api=self.api,
            executor=self.executor,
            clock=self.clock,
            events=events,
            run_id=run_id,
            new_id=self.new_id,
            stop=self.stop,
            patience_s=patience_s,
            grace_s=self.grace_s,
            timeout_s=self.timeout_s,
        )
