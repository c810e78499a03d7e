"""The one operation: plan what is due, send what may be sent now, record; idempotent.

The daemon's triggers, `run` and `backfill` all come here, and all under the lease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, SENDABLE, State
from report_service.domain.forecast import Forecast, forecast
from report_service.domain.months import SubmissionWindow
from report_service.errors import LeaseHeld, ReportServiceError, StoreUnavailable
from report_service.ports import RunRecord
from report_service.services.deliver import SLICE_S, Credentials, Deliverer

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.months import ReportMonth
    from report_service.ports import Events, Lease, Ledger, Tally
    from report_service.services.deliver import Delivered, Means
    from report_service.services.plan import Plan, Planner

LOOK_BACK_S = 91.0
"""How far back requests count into the pace: a minute, and the time that one may take."""


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
    credentials: Credentials
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
        outcome = "failed"
        try:
            lease = self._lease(events, patience_s if lease_patience_s is None else lease_patience_s)
            events.emit(
                "run.started",
                month=str(month),
                trigger=trigger,
                endpoint=self.ledger.endpoint,
                instance=self.instance,
            )
            self._under_lease(lease, run, result, events, patience_s=patience_s, send=send)
            cut_off = result.delivered is not None and result.delivered.stopped and self.means.stop()
            outcome = "halted" if result.error else "interrupted" if cut_off else "completed"
        except LeaseHeld:  # another process runs; this one did not begin
            raise
        except ReportServiceError as exc:
            result.error = exc
            outcome = "interrupted" if isinstance(exc, StoreUnavailable) else "failed"
        except Exception as exc:
            self._finish(run, result, events, "failed", crash=exc)
            raise
        self._finish(run, result, events, outcome)
        return result

    def _lease(self, events: Events, patience_s: float) -> Lease:
        """Take the lease, and wait for it if need be; raise LeaseHeld."""
        clock = self.means.clock
        began, waiting = clock.monotonic(), False
        while True:
            taken = self.ledger.acquire(self.instance, at=clock.monotonic())
            if not isinstance(taken, str):
                events.emit("lease.acquired", holder=self.instance)
                return taken
            if not waiting:
                events.emit("lease.waiting", holder=taken)
                waiting = True
            if clock.monotonic() - began >= patience_s or self.means.stop():
                raise LeaseHeld(
                    f"{taken} delivers to {self.ledger.endpoint} at present",
                    hint="One process delivers at a time. Try again when it is done, or with more --patience; "
                    "the lease of a dead process ends by itself within a minute.",
                )
            clock.sleep(SLICE_S)

    def _under_lease(
        self, lease: Lease, run: RunRecord, result: RunResult, events: Events, *, patience_s: float, send: bool
    ) -> None:
        clock, month, window = self.means.clock, run.month, result.window
        deliverer: Deliverer | None = None
        try:
            before = self.ledger.last_run(month)
            self.ledger.begin_run(run, instance=self.instance)
            self.ledger.adopt(at=clock.now(), timeout_s=self.means.timeout_s, lease=lease)
            closed = window.has_closed(clock.now())
            if not closed and (before is None or before.started_at < window.opens):
                events.emit(
                    "window.opened",
                    month=str(month),
                    window_opens_unix=int(window.first_send.timestamp()),
                    window_closes_unix=int(window.last_send.timestamp()),
                )
            try:
                result.plan = self.planner(events).plan(month, lease=lease, closed=closed)
            finally:
                if closed:
                    self._close(run, events, lease, first=not _closed_by(before, window))
            if send and not closed:
                deliverer = self._deliverer(lease, run, events, window, patience_s)
                result.delivered = deliverer.run()
                result.error = result.delivered.halted
        finally:
            self._let_go(deliverer.lease if deliverer else lease)

    def _deliverer(
        self, lease: Lease, run: RunRecord, events: Events, window: SubmissionWindow, patience_s: float
    ) -> Deliverer:
        clock, pacer = self.means.clock, self.means.new_pacer()
        pacer.seed(self.ledger.sent_since(LOOK_BACK_S, at=clock.now()), at=clock.monotonic())
        return Deliverer(
            ledger=self.ledger,
            means=self.means,
            events=events,
            credentials=self.credentials,
            window=window,
            run_id=run.run_id,
            patience_s=patience_s,
            lease=lease,
            pacer=pacer,
        )

    def _close(self, run: RunRecord, events: Events, lease: Lease, *, first: bool) -> None:
        """Make what a closed window left open `missed` or `unresolved`, and say once how the month ended."""
        for report in self.ledger.close_month(run.month, at=self.means.clock.now(), lease=lease):
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

    def _let_go(self, lease: Lease) -> None:
        try:
            self.ledger.release(lease)
        except StoreUnavailable as exc:  # it ends by itself; what went wrong before this matters more
            self.events.emit("store.lost", detail=exc.message)

    def _finish(
        self, run: RunRecord, result: RunResult, events: Events, outcome: str, *, crash: Exception | None = None
    ) -> None:
        """Record how the run ended, and write its one canonical line."""
        error = result.error or crash
        fields: dict[str, object] = {
            "month": str(run.month),
            "trigger": run.started_by,
            "duration_s": round(self.means.clock.monotonic() - result.started, 3),
        }
        try:
            result.tally = self.ledger.tally(run.month)
            result.outlook = self._outlook(result)
            fields |= counts_of(result.tally) | self._figures(result)
            run = replace(run, ended_at=self.means.clock.now(), result=outcome, detail=str(error or ""))
            self.ledger.end_run(run, summary=fields)
        except StoreUnavailable as exc:
            error = error or exc
            result.error = result.error or exc
        if error is None:
            events.emit("run.completed", **fields)
        else:
            reason = _snake(type(error).__name__)
            hint = error.hint if isinstance(error, ReportServiceError) else None
            if outcome == "halted":
                events.emit("run.halted", month=str(run.month), reason=reason, detail=str(error), hint=hint)
            events.emit("run.failed", **fields, reason=reason, detail=str(error), hint=hint, exception=crash)
        if result.outlook is not None and not result.outlook.in_time:
            events.emit(
                "forecast.late",
                month=str(run.month),
                window_closes_unix=int(result.window.last_send.timestamp()),
                outstanding=fields["expected"] - fields["delivered"],  # type: ignore[operator]
                forecast_unix=int(result.outlook.done_at.timestamp()),
            )

    def _outlook(self, result: RunResult) -> Forecast | None:
        """Say when the month will be done at the pace and with the failures of this run."""
        assert result.tally is not None
        did = result.delivered
        failure_rate = did.failed / (did.failed + did.settled) if did and did.failed else 0.0
        waiting = self.ledger.waiting(result.month)
        return forecast(
            result.window,
            at=self.means.clock.now(),
            to_send=result.tally.count(SENDABLE | {State.IN_FLIGHT}),
            rate_per_minute=self.means.new_pacer().rate_per_minute(self.means.clock.monotonic()),
            failure_rate=failure_rate,
            last_retry_at=waiting and waiting[1],
        )

    def _figures(self, result: RunResult) -> dict[str, object]:
        did, took_s = result.delivered, self.means.clock.monotonic() - result.started
        fields: dict[str, object] = {
            "complete": result.complete,
            "sent": did.sent if did else 0,
            "throttled": did.throttled if did else 0,
            "rate_per_minute": round(60 * did.sent / took_s, 1) if did and took_s > 0 else 0.0,
        }
        if did is not None:
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
