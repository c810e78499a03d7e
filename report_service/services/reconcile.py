"""The one operation: plan what is due, send what may be sent now, record; idempotent.

The daemon's triggers, `run` and `backfill` all come here, and all under the lease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State
from report_service.domain.kinds import KINDS
from report_service.domain.months import SubmissionWindow
from report_service.errors import (
    ConfigurationError,
    CorrectionsRefused,
    LeaseHeld,
    LeaseLost,
    ReportServiceError,
    SourceUnavailable,
    StoreUnavailable,
)
from report_service.ports import RunRecord
from report_service.services.delivery.corrections import CorrectionBacklog
from report_service.services.delivery.lease_keeper import acquire
from report_service.services.outlook import outlook
from report_service.services.run_result import RunResult, counts_of, emit_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from report_service.domain.correction import Correction
    from report_service.domain.forecast import Forecast
    from report_service.domain.months import ReportMonth
    from report_service.ports import Background, Clock, Events, Ledger, MonthCounts
    from report_service.services.delivery.lease_keeper import LeaseKeeper
    from report_service.services.delivery.service import DeliveryService
    from report_service.services.planning.planner import Planner


KEPT_HINT = "Find out who reported it. Whether the API takes corrections, `report-service contract` tells."


def nothing(_month: ReportMonth) -> Sequence[Correction]:
    """Return nothing to be replaced: what others reported stays."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Reconciles months of one ledger with one API."""

    ledger: Ledger
    planner: Callable[[Events], Planner]
    delivery: DeliveryService
    clock: Clock
    background: Background
    events: Events
    new_id: Callable[[], str]  # UUIDs
    stop: Callable[[], str | None]  # why the process is asked to end, if it is
    window_guard_s: float
    foreign: Callable[[ReportMonth], Sequence[Correction]] = nothing  # to replace what others reported

    def reconcile(
        self,
        month: ReportMonth,
        *,
        trigger: str,
        patience_s: float,
        lease_patience_s: float | None = None,
        send: bool = True,
        accepted_by: str = "",
    ) -> RunResult:
        """Plan and deliver a month, as far as it can be now.

        Waits at most `patience_s` without progress for what is due again, and `lease_patience_s` (default: the
        same) for another process to let go. `send=False` only plans. What a ReportServiceError stopped is told
        by the result's `error`; there is one canonical log line whatever happens. Raises WindowNotOpen for a
        month that is not over, and LeaseHeld; then nothing is recorded.
        """
        clock = self.clock
        window = SubmissionWindow.of(month, guard_s=self.window_guard_s)
        if clock.now() < window.opens:
            window.require_open(clock.now())
        result = RunResult(run_id=self.new_id(), month=month, window=window, started=clock.monotonic())
        run = RunRecord(run_id=result.run_id, month=month, started_by=trigger, started_at=clock.now())
        events = self.events.bind(run_id=result.run_id)
        try:
            lease = acquire(
                self.ledger.leases,
                endpoint=self.ledger.endpoint,
                holder=self.ledger.instance,
                clock=clock,
                background=self.background,
                events=events,
                patience_s=patience_s if lease_patience_s is None else lease_patience_s,
                stop=self.stop,
            )
            events.emit(
                "run.started",
                month=str(month),
                trigger=trigger,
                endpoint=self.ledger.endpoint,
                instance=self.ledger.instance,
            )
            self._under_lease(
                lease, run, result, events, patience_s=patience_s, send=send, accepted_by=accepted_by
            )
        except LeaseHeld:  # another process runs; this one did not begin
            raise
        except ReportServiceError as exc:
            result.error = exc
        except BaseException as exc:
            self._finish(run, result, events, crash=exc)
            raise
        self._finish(run, result, events)
        return result

    def _under_lease(
        self,
        lease: LeaseKeeper,
        run: RunRecord,
        result: RunResult,
        events: Events,
        *,
        patience_s: float,
        send: bool,
        accepted_by: str,
    ) -> None:
        with lease.kept(self.background, events):
            closed = self._plan(lease, run, result, events, accepted_by=accepted_by)
            if send and not closed:
                dispatcher = self.delivery.dispatcher(
                    result.window, run_id=run.run_id, lease=lease, events=events, patience_s=patience_s
                )
                result.stats = dispatcher.stats
                dispatcher.run()
                result.error = dispatcher.stats.halted or result.error
                if result.error is None and self.stop() is None:
                    self._replace(lease, run, result, events, patience_s=patience_s)

    def _replace(
        self, lease: LeaseKeeper, run: RunRecord, result: RunResult, events: Events, *, patience_s: float
    ) -> None:
        """Put our reports in the place of what OBELIS has from someone else, if they are to be replaced.

        That it does not take them ends no run, and they stay `already_reported`.
        """
        try:
            backlog = CorrectionBacklog.of(self.foreign(run.month), clock=self.clock)
        except ConfigurationError as why:  # the paths cannot name them
            events.emit("conflict.kept", month=str(run.month), detail=why.message, hint=why.hint)
            return
        if any(map(backlog.has, KINDS)):
            corrector = self.delivery.corrector(
                backlog, run_id=run.run_id, lease=lease, events=events, patience_s=patience_s
            )
            corrector.run()
            if result.stats is not None:
                result.stats.add(corrector.stats)
            if not isinstance(corrector.stats.halted, CorrectionsRefused):
                result.error = corrector.stats.halted
        for one in backlog.corrected:
            events.emit("report.replaced", key=str(one.key), kind=one.key.kind.name, month=str(run.month))
        for key, detail in list(backlog.left.items())[:1]:
            events.emit("conflict.kept", month=str(run.month), detail=f"{key}: {detail}", hint=KEPT_HINT)

    def _plan(
        self, lease: LeaseKeeper, run: RunRecord, result: RunResult, events: Events, *, accepted_by: str
    ) -> bool:
        """Bring the ledger in line with the source; return True if the window is over, and end the month then."""
        clock, window = self.clock, result.window
        before = self.ledger.runs.last(run.month)
        self.ledger.runs.begin(run, instance=self.ledger.instance)
        self.ledger.attempts.recover_in_flight(
            at=clock.now(), timeout_s=self.delivery.timeout_s, lease=lease.ensure_held()
        )
        closed = window.has_closed(clock.now())
        if not closed and (before is None or before.started_at < window.opens):
            events.emit(
                "window.opened",
                month=str(run.month),
                window_opens_unix=int(window.first_send.timestamp()),
                window_closes_unix=int(window.last_send.timestamp()),
            )
        first = closed and not _told(before, window, self.ledger.status.month_counts(run.month))
        try:
            result.plan = self.planner(events).plan(
                run.month, lease=lease.ensure_held, closed=closed, accepted_by=accepted_by
            )
        finally:
            if closed:
                unread = result.plan is not None and result.plan.unread
                self._close(run, events, lease, first=first, unread=unread)
                result.closed = True
        if closed and result.plan.unread:  # what was due is not known: to be looked at again
            result.error = SourceUnavailable(result.plan.doubt)
        return closed

    def _close(self, run: RunRecord, events: Events, lease: LeaseKeeper, *, first: bool, unread: bool) -> None:
        """Make what a closed window left open `missed` or `unresolved`, and say once how the month ended.

        If all is in, and only the inventory cannot be read, that is said when it can.
        """
        for report in self.ledger.attempts.close_month(run.month, at=self.clock.now(), lease=lease.ensure_held()):
            events.emit(
                "report.missed",
                key=str(report.key),
                kind=report.key.kind.name,
                month=str(run.month),
                state=report.state.value,
            )
        month_counts = self.ledger.status.month_counts(run.month)
        if not first or not month_counts.expected or (unread and _all_in(month_counts)):
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
            events.emit("window.missed", **counts, **lost, detail=month_counts.inventory_doubt or None)

    def _finish(
        self, run: RunRecord, result: RunResult, events: Events, *, crash: BaseException | None = None
    ) -> None:
        """Record how the run ended, and write its one canonical line whatever comes in between."""
        outcome = "failed" if crash else result.outcome(stopping=self.stop() is not None)
        duration_s = self.clock.monotonic() - result.started
        fields: dict[str, object] = {
            "month": str(run.month),
            "trigger": run.started_by,
            "duration_s": round(duration_s, 3),
        }
        try:
            result.month_counts = self.ledger.status.month_counts(run.month)
            result.outlook = self._outlook(result, result.month_counts)
            skew_s = self.delivery.api_clock.skew_s(self.clock.now(), at=self.clock.monotonic())
            fields |= counts_of(result.month_counts) | result.figures(duration_s=duration_s, skew_s=skew_s)
            fields["evidence_head"] = self.ledger.evidence.head(run.month)
            run = replace(run, ended_at=self.clock.now(), result=outcome, detail=str(result.error or crash or ""))
            self.ledger.runs.end(run, summary=fields)
        except StoreUnavailable as exc:
            result.error = result.error or exc
        except BaseException as exc:
            crash = crash or exc
            raise
        finally:
            if isinstance(result.error, LeaseLost):
                events.emit("lease.lost", holder=self.ledger.instance, detail=result.error.message)
            emit_end(events, result, fields, outcome=outcome, crash=crash)

    def _outlook(self, result: RunResult, counts: MonthCounts) -> Forecast | None:
        """Return when the month will be done at the pace and with the failures of this run."""
        stats, failure_rate = result.stats, 0.0
        pace = self.delivery.new_rate_limiter().rate_per_minute(self.clock.monotonic())
        if stats is not None and stats.rate_per_minute is not None:
            pace = stats.rate_per_minute
        if stats is not None and stats.busy_s:  # so many at once, each as long as they took: that is the most
            pace = min(pace, 60 * self.delivery.executor.capacity * stats.requests / stats.busy_s)
        if stats is not None and stats.failed:
            failure_rate = stats.failed / (stats.failed + stats.settled)
        return outlook(
            self.ledger.attempts,
            counts,
            result.window,
            at=self.clock.now(),
            rate_per_minute=pace,
            failure_rate=failure_rate,
        )


def _told(before: RunRecord | None, window: SubmissionWindow, month_counts: MonthCounts) -> bool:
    """Return True if the newest run said how the month ended; one that was cut off may not have."""
    if before is None or before.started_at < window.closes or before.result in {None, "interrupted"}:
        return False
    held_back = before.result == "failed" and month_counts.inventory_doubt and _all_in(month_counts)
    return month_counts.expected > 0 and not held_back


def _all_in(month_counts: MonthCounts) -> bool:
    return month_counts.count(DONE) == month_counts.expected
