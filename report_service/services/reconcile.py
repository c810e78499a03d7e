"""The one operation: plan what is due, send what may be sent now, record; idempotent.

The daemon's triggers, `run` and `backfill` all come here, and all under the lease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, SENDABLE, State
from report_service.domain.forecast import Forecast, forecast
from report_service.domain.months import SubmissionWindow
from report_service.errors import (
    LeaseHeld,
    LeaseLost,
    ReportServiceError,
    SourceUnavailable,
    StoreUnavailable,
)
from report_service.ports import RunRecord
from report_service.services.delivery.dispatcher import SLICE_S, Deliverer
from report_service.services.delivery.lease_keeper import LeaseKeeper
from report_service.services.delivery.outcomes import OutcomeHandler, RunStats

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.months import ReportMonth
    from report_service.ports import Events, Ledger, MonthCounts
    from report_service.services.delivery.means import Means
    from report_service.services.delivery.session import Session
    from report_service.services.planner import Plan, Planner

LOOK_BACK_S = 100.0
"""How far back requests count into the pace: a minute, and the time that one may take."""
ASK_AGAIN_S = 3.0
"""Between two looks whether a lease is free: each is a transaction, and waiting is to cost next to nothing."""


@dataclass(slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    run_id: str
    month: ReportMonth
    window: SubmissionWindow
    started: float  # monotonic
    plan: Plan | None = None
    delivered: RunStats | None = None
    month_counts: MonthCounts | None = None
    outlook: Forecast | None = None
    closed: bool = False  # the window is over, and what there was to say of that was said
    error: ReportServiceError | None = None  # why it could not go to its end

    @property
    def complete(self) -> bool:
        """Return True if expected = delivered, with an inventory that can be believed (law 7)."""
        shrunk = self.plan is not None and self.plan.shrunk
        return self.error is None and self.month_counts is not None and self.month_counts.complete and not shrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles months of one ledger with one API."""

    ledger: Ledger
    planner: Callable[[Events], Planner]
    means: Means
    events: Events
    session: Session
    window_guard_s: float

    def reconcile(
        self,
        month: ReportMonth,
        *,
        trigger: str,
        patience_s: float,
        lease_patience_s: float | None = None,
        send: bool = True,
    ) -> RunResult:
        """Plan and deliver a month, as far as it can be now.

        Waits at most `patience_s` without progress for what is due again, and `lease_patience_s` (default: the
        same) for another process to let go. `send=False` only plans. What a ReportServiceError stopped is told
        by the result's `error`; there is one canonical log line whatever happens. Raises WindowNotOpen for a
        month that is not over, and LeaseHeld; then nothing is recorded.
        """
        clock = self.means.clock
        window = SubmissionWindow.of(month, guard_s=self.window_guard_s)
        if clock.now() < window.opens:
            window.require_open(clock.now())
        result = RunResult(run_id=self.means.new_id(), month=month, window=window, started=clock.monotonic())
        run = RunRecord(run_id=result.run_id, month=month, started_by=trigger, started_at=clock.now())
        events = self.events.bind(run_id=result.run_id)
        try:
            lease_keeper = self._tenure(events, patience_s if lease_patience_s is None else lease_patience_s)
            events.emit(
                "run.started",
                month=str(month),
                trigger=trigger,
                endpoint=self.ledger.endpoint,
                instance=self.ledger.instance,
            )
            self._under_lease(lease_keeper, run, result, events, patience_s=patience_s, send=send)
        except LeaseHeld:  # another process runs; this one did not begin
            raise
        except ReportServiceError as exc:
            result.error = exc
        except BaseException as exc:
            self._finish(run, result, events, crash=exc)
            raise
        self._finish(run, result, events)
        return result

    def _tenure(self, events: Events, patience_s: float) -> LeaseKeeper:
        """Take the lease, and wait for it if need be; raise LeaseHeld."""
        clock = self.means.clock
        began, waiting = clock.monotonic(), False
        while True:
            taken = self.ledger.leases.acquire(self.ledger.instance, at=clock.monotonic())
            if not isinstance(taken, str):
                events.emit("lease.acquired", holder=self.ledger.instance)
                return LeaseKeeper(leases=self.ledger.leases, clock=clock, lease=taken)
            if not waiting:
                events.emit("lease.waiting", holder=taken)
                waiting = True
            if clock.monotonic() - began >= patience_s or self.means.stop():
                raise LeaseHeld(
                    f"{taken} delivers to {self.ledger.endpoint} at present",
                    hint="One process delivers at a time. Try again when it is done, or with more --patience; "
                    "the lease of a dead process ends by itself within a minute.",
                )
            ask_again_at = min(clock.monotonic() + ASK_AGAIN_S, began + patience_s)
            while clock.monotonic() < ask_again_at and not self.means.stop():
                clock.sleep(min(SLICE_S, ask_again_at - clock.monotonic()))

    def _under_lease(
        self,
        lease_keeper: LeaseKeeper,
        run: RunRecord,
        result: RunResult,
        events: Events,
        *,
        patience_s: float,
        send: bool,
    ) -> None:
        clock, window = self.means.clock, result.window
        try:
            before = self.ledger.runs.last(run.month)
            self.ledger.runs.begin(run, instance=self.ledger.instance)
            self.ledger.attempts.recover_in_flight(
                at=clock.now(), timeout_s=self.means.timeout_s, lease=lease_keeper.keep()
            )
            closed = window.has_closed(clock.now())
            if not closed and (before is None or before.started_at < window.opens):
                events.emit(
                    "window.opened",
                    month=str(run.month),
                    window_opens_unix=int(window.first_send.timestamp()),
                    window_closes_unix=int(window.last_send.timestamp()),
                )
            first = closed and (
                not _closed_by(before, window) or not self.ledger.status.month_counts(run.month).expected
            )
            try:
                result.plan = self.planner(events).plan(run.month, hold=lease_keeper.keep, closed=closed)
            except SourceUnavailable as exc:  # what was planned before goes out all the same
                result.error = exc
            finally:
                if closed:
                    self._close(run, events, lease_keeper, first=first)
                    result.closed = True
            if send and not closed:
                self._deliver(lease_keeper, run, result, events, patience_s=patience_s)
        finally:
            self._let_go(lease_keeper, events)

    def _deliver(
        self, lease_keeper: LeaseKeeper, run: RunRecord, result: RunResult, events: Events, *, patience_s: float
    ) -> None:
        clock, rate_limiter = self.means.clock, self.means.new_rate_limiter()
        rate_limiter.restore(self.ledger.attempts.sent_since(LOOK_BACK_S, at=clock.now()), at=clock.monotonic())
        result.delivered = RunStats(skew_s=self.session.skew_s)
        outcomes = OutcomeHandler(
            means=self.means,
            events=events,
            session=self.session,
            rate_limiter=rate_limiter,
            last_send=result.window.last_send,
            done=result.delivered,
            settled_at=clock.monotonic(),
        )
        Deliverer(
            attempts=self.ledger.attempts,
            means=self.means,
            events=events,
            window=result.window,
            run_id=run.run_id,
            patience_s=patience_s,
            lease_keeper=lease_keeper,
            outcomes=outcomes,
        ).run()
        result.error = result.delivered.halted or result.error

    def _close(self, run: RunRecord, events: Events, lease_keeper: LeaseKeeper, *, first: bool) -> None:
        """Make what a closed window left open `missed` or `unresolved`, and say once how the month ended."""
        for report in self.ledger.attempts.close_month(
            run.month, at=self.means.clock.now(), lease=lease_keeper.keep()
        ):
            events.emit(
                "report.missed",
                key=str(report.key),
                kind=report.key.kind.name,
                month=str(run.month),
                state=report.state.value,
            )
        month_counts = self.ledger.status.month_counts(run.month)
        if not first or not month_counts.expected:
            return
        counts = {
            "month": str(run.month),
            "expected": month_counts.expected,
            "delivered": month_counts.count(DONE),
        }
        if month_counts.complete:
            events.emit("window.closed", **counts)
        else:
            lost = {state.value: month_counts.count([state]) for state in (State.MISSED, State.UNRESOLVED)}
            events.emit("window.missed", **counts, **lost)

    def _let_go(self, lease_keeper: LeaseKeeper, events: Events) -> None:
        try:
            self.ledger.leases.release(lease_keeper.lease)
        except StoreUnavailable as exc:  # it ends by itself; what went wrong before this matters more
            events.emit("store.lost", detail=exc.message)

    def _finish(
        self, run: RunRecord, result: RunResult, events: Events, *, crash: BaseException | None = None
    ) -> None:
        """Record how the run ended, and write its one canonical line whatever comes in between."""
        outcome = "failed" if crash else self._outcome(result)
        fields: dict[str, object] = {
            "month": str(run.month),
            "trigger": run.started_by,
            "duration_s": round(self.means.clock.monotonic() - result.started, 3),
        }
        try:
            result.month_counts = self.ledger.status.month_counts(run.month)
            result.outlook = self._outlook(result, result.month_counts)
            fields |= counts_of(result.month_counts) | self._figures(result)
            run = replace(
                run, ended_at=self.means.clock.now(), result=outcome, detail=str(result.error or crash or "")
            )
            self.ledger.runs.end(run, summary=fields)
        except StoreUnavailable as exc:
            result.error = result.error or exc
        except BaseException as exc:
            crash = crash or exc
            raise
        finally:
            self._say(result, fields, events, outcome, crash)

    def _outcome(self, result: RunResult) -> str:
        """Return how the run ended, for the ledger: `interrupted` is one that should be made again at once."""
        did = result.delivered
        if isinstance(result.error, StoreUnavailable) and not result.closed:
            return "interrupted"
        if result.error is not None:
            return "halted" if did is not None and did.halted else "failed"
        return "interrupted" if did is not None and did.stopped and self.means.stop() else "completed"

    def _say(
        self,
        result: RunResult,
        fields: dict[str, object],
        events: Events,
        outcome: str,
        crash: BaseException | None,
    ) -> None:
        """Write the run's canonical line, and what goes with it."""
        error, month = crash or result.error, str(result.month)
        if isinstance(error, LeaseLost):
            events.emit("lease.lost", holder=self.ledger.instance, detail=error.message)
        if error is None:
            events.emit("run.completed", **fields)
        else:
            reason, detail = _snake(type(error).__name__), str(error)
            hint = error.hint if isinstance(error, ReportServiceError) else None
            if outcome == "halted":
                events.emit("run.halted", month=month, reason=reason, detail=detail, hint=hint)
            events.emit("run.failed", **fields, reason=reason, detail=detail, hint=hint, exception=crash)
        if result.month_counts is not None and result.outlook is not None and not result.outlook.in_time:
            events.emit(
                "forecast.late",
                month=month,
                window_closes_unix=int(result.window.last_send.timestamp()),
                outstanding=result.month_counts.expected - result.month_counts.count(DONE),
                forecast_unix=int(result.outlook.done_at.timestamp()),
            )

    def _outlook(self, result: RunResult, month_counts: MonthCounts) -> Forecast | None:
        """Say when the month will be done at the pace and with the failures of this run."""
        clock, did = self.means.clock, result.delivered
        pace, failure_rate = self.means.new_rate_limiter().rate_per_minute(clock.monotonic()), 0.0
        if did is not None and did.busy_s:  # so many at once, each as long as they took: that is the most
            pace = min(pace, 60 * self.means.executor.capacity * did.requests / did.busy_s)
        if did is not None and did.failed:
            failure_rate = did.failed / (did.failed + did.settled)
        waiting = self.ledger.attempts.waiting(result.month)
        return forecast(
            result.window,
            at=clock.now(),
            to_send=month_counts.count(SENDABLE | {State.IN_FLIGHT}),
            rate_per_minute=pace,
            failure_rate=failure_rate,
            last_retry_at=waiting and waiting[1],
        )

    def _figures(self, result: RunResult) -> dict[str, object]:
        did, took_s = result.delivered or RunStats(), self.means.clock.monotonic() - result.started
        fields: dict[str, object] = {
            "complete": result.complete,
            "sent": did.requests,
            "throttled": did.throttled,
            "rate_per_minute": round(60 * did.requests / took_s, 1) if took_s > 0 else 0.0,
        }
        if result.delivered is not None:
            fields["skew_s"] = round(abs(did.skew_s), 1)
        if result.outlook is not None:
            fields["forecast_unix"] = int(result.outlook.done_at.timestamp())
            fields["forecast_in_time"] = result.outlook.in_time
        return fields


def counts_of(month_counts: MonthCounts) -> dict[str, object]:
    """Return a month's counts as the log has them."""
    states = {state.value: month_counts.count([state]) for state in State}
    return {
        "expected": month_counts.expected,
        "delivered": month_counts.count(DONE),
        "drifted": month_counts.drifted,
        **states,
    }


def _closed_by(before: RunRecord | None, window: SubmissionWindow) -> bool:
    """Return True if a run said how the month ended; one that was cut off may not have."""
    cut_off = before is None or before.result in {None, "interrupted"}
    return before is not None and before.started_at >= window.closes and not cut_off


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
