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
from report_service.services.deliver import SLICE_S, Deliverer
from report_service.services.hear import Delivered, Hearing
from report_service.services.tenure import Tenure

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.months import ReportMonth
    from report_service.ports import Events, Ledger, Tally
    from report_service.services.means import Means
    from report_service.services.plan import Plan, Planner
    from report_service.services.session import Session

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
    delivered: Delivered | None = None
    tally: Tally | None = None
    outlook: Forecast | None = None
    closed: bool = False  # the window is over, and what there was to say of that was said
    error: ReportServiceError | None = None  # why it could not go to its end

    @property
    def complete(self) -> bool:
        """Say whether expected = delivered, with an inventory that can be believed (law 7)."""
        shrunk = self.plan is not None and self.plan.shrunk
        return self.error is None and self.tally is not None and self.tally.complete and not shrunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles months of one ledger with one API."""

    ledger: Ledger
    planner: Callable[[Events], Planner]
    means: Means
    events: Events
    session: Session
    instance: str  # names this process, in the lease and in the ledger
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
            tenure = self._tenure(events, patience_s if lease_patience_s is None else lease_patience_s)
            events.emit(
                "run.started",
                month=str(month),
                trigger=trigger,
                endpoint=self.ledger.endpoint,
                instance=self.instance,
            )
            self._under_lease(tenure, run, result, events, patience_s=patience_s, send=send)
        except LeaseHeld:  # another process runs; this one did not begin
            raise
        except ReportServiceError as exc:
            result.error = exc
        except BaseException as exc:
            self._finish(run, result, events, crash=exc)
            raise
        self._finish(run, result, events)
        return result

    def _tenure(self, events: Events, patience_s: float) -> Tenure:
        """Take the lease, and wait for it if need be; raise LeaseHeld."""
        clock = self.means.clock
        began, waiting = clock.monotonic(), False
        while True:
            taken = self.ledger.acquire(self.instance, at=clock.monotonic())
            if not isinstance(taken, str):
                events.emit("lease.acquired", holder=self.instance)
                return Tenure(ledger=self.ledger, clock=clock, lease=taken)
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
        self, tenure: Tenure, run: RunRecord, result: RunResult, events: Events, *, patience_s: float, send: bool
    ) -> None:
        clock, window = self.means.clock, result.window
        try:
            before = self.ledger.last_run(run.month)
            self.ledger.begin_run(run, instance=self.instance)
            self.ledger.adopt(at=clock.now(), timeout_s=self.means.timeout_s, lease=tenure.keep())
            closed = window.has_closed(clock.now())
            if not closed and (before is None or before.started_at < window.opens):
                events.emit(
                    "window.opened",
                    month=str(run.month),
                    window_opens_unix=int(window.first_send.timestamp()),
                    window_closes_unix=int(window.last_send.timestamp()),
                )
            first = closed and (not _closed_by(before, window) or not self.ledger.tally(run.month).expected)
            try:
                result.plan = self.planner(events).plan(run.month, hold=tenure.keep, closed=closed)
            except SourceUnavailable as exc:  # what was planned before goes out all the same
                result.error = exc
            finally:
                if closed:
                    self._close(run, events, tenure, first=first)
                    result.closed = True
            if send and not closed:
                self._deliver(tenure, run, result, events, patience_s=patience_s)
        finally:
            self._let_go(tenure, events)

    def _deliver(
        self, tenure: Tenure, run: RunRecord, result: RunResult, events: Events, *, patience_s: float
    ) -> None:
        clock, pacer = self.means.clock, self.means.new_pacer()
        pacer.seed(self.ledger.sent_since(LOOK_BACK_S, at=clock.now()), at=clock.monotonic())
        result.delivered = Delivered(skew_s=self.session.skew_s)
        hearing = Hearing(
            means=self.means,
            events=events,
            session=self.session,
            pacer=pacer,
            last_send=result.window.last_send,
            done=result.delivered,
            settled_at=clock.monotonic(),
        )
        Deliverer(
            ledger=self.ledger,
            means=self.means,
            events=events,
            window=result.window,
            run_id=run.run_id,
            patience_s=patience_s,
            tenure=tenure,
            hearing=hearing,
        ).run()
        result.error = result.delivered.halted or result.error

    def _close(self, run: RunRecord, events: Events, tenure: Tenure, *, first: bool) -> None:
        """Make what a closed window left open `missed` or `unresolved`, and say once how the month ended."""
        for report in self.ledger.close_month(run.month, at=self.means.clock.now(), lease=tenure.keep()):
            events.emit(
                "report.missed",
                key=str(report.key),
                kind=report.key.kind.value,
                month=str(run.month),
                state=report.state.value,
            )
        tally = self.ledger.tally(run.month)
        if not first or not tally.expected:
            return
        counts = {"month": str(run.month), "expected": tally.expected, "delivered": tally.count(DONE)}
        if tally.complete:
            events.emit("window.closed", **counts)
        else:
            lost = {state.value: tally.count([state]) for state in (State.MISSED, State.UNRESOLVED)}
            events.emit("window.missed", **counts, **lost)

    def _let_go(self, tenure: Tenure, events: Events) -> None:
        try:
            self.ledger.release(tenure.lease)
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
            result.tally = self.ledger.tally(run.month)
            result.outlook = self._outlook(result, result.tally)
            fields |= counts_of(result.tally) | self._figures(result)
            run = replace(
                run, ended_at=self.means.clock.now(), result=outcome, detail=str(result.error or crash or "")
            )
            self.ledger.end_run(run, summary=fields)
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
            events.emit("lease.lost", holder=self.instance, detail=error.message)
        if error is None:
            events.emit("run.completed", **fields)
        else:
            reason, detail = _snake(type(error).__name__), str(error)
            hint = error.hint if isinstance(error, ReportServiceError) else None
            if outcome == "halted":
                events.emit("run.halted", month=month, reason=reason, detail=detail, hint=hint)
            events.emit("run.failed", **fields, reason=reason, detail=detail, hint=hint, exception=crash)
        if result.tally is not None and result.outlook is not None and not result.outlook.in_time:
            events.emit(
                "forecast.late",
                month=month,
                window_closes_unix=int(result.window.last_send.timestamp()),
                outstanding=result.tally.expected - result.tally.count(DONE),
                forecast_unix=int(result.outlook.done_at.timestamp()),
            )

    def _outlook(self, result: RunResult, tally: Tally) -> Forecast | None:
        """Say when the month will be done at the pace and with the failures of this run."""
        clock, did = self.means.clock, result.delivered
        pace, failure_rate = self.means.new_pacer().rate_per_minute(clock.monotonic()), 0.0
        if did is not None and did.busy_s:  # so many at once, each as long as they took: that is the most
            pace = min(pace, 60 * self.means.exchanges.capacity * did.requests / did.busy_s)
        if did is not None and did.failed:
            failure_rate = did.failed / (did.failed + did.settled)
        waiting = self.ledger.waiting(result.month)
        return forecast(
            result.window,
            at=clock.now(),
            to_send=tally.count(SENDABLE | {State.IN_FLIGHT}),
            rate_per_minute=pace,
            failure_rate=failure_rate,
            last_retry_at=waiting and waiting[1],
        )

    def _figures(self, result: RunResult) -> dict[str, object]:
        did, took_s = result.delivered or Delivered(), self.means.clock.monotonic() - result.started
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


def counts_of(tally: Tally) -> dict[str, object]:
    """Return a month's counts as the log has them."""
    states = {state.value: tally.count([state]) for state in State}
    return {"expected": tally.expected, "delivered": tally.count(DONE), "drifted": tally.drifted, **states}


def _closed_by(before: RunRecord | None, window: SubmissionWindow) -> bool:
    """Say whether a run said how the month ended; one that was cut off may not have."""
    cut_off = before is None or before.result in {None, "interrupted"}
    return before is not None and before.started_at >= window.closes and not cut_off


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
