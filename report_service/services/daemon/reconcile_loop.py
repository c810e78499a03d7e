"""The daemon's watch: looks what is due by the rule of `domain.reconcile_rule`, and does it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from report_service.domain.reconcile_rule import LastRun, ReconcileTask, RunEnd, task_for
from report_service.errors import LeaseHeld, StoreUnavailable, WindowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Events, RunLog, RunRecord, StatusQueries
    from report_service.services.daemon.health import WorkerHealth
    from report_service.services.reconcile import Reconciler
    from report_service.services.run_result import RunResult

FUTURE = timedelta(minutes=5)
"""A run that began later than this from now is of a clock that was wrong: it says nothing."""
LOOK_BACK = 12
"""Months that closed longer ago are for `backfill`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What this process remembers of its newest run of a month."""

    began: datetime
    monotonic: float
    end: RunEnd = RunEnd.FAILED
    run_id: str | None = None
    failing: str | None = None  # why it did not go to its end


@dataclass(slots=True, kw_only=True)
class ReconcileLoop:
    """Looks what is due, and does it."""

    reconciler: Reconciler
    status: StatusQueries
    runs: RunLog
    timetable: Timetable
    clock: Clock
    events: Events
    worker_health: WorkerHealth
    prepare: Callable[[], None]  # make the store's tables usable; may raise SchemaOutdated, StoreUnavailable
    first_month: ReportMonth | None
    sweep: timedelta
    patience_s: float
    _prepared: bool = False
    _began: float = field(init=False)  # monotonic
    _own: dict[ReportMonth, LocalRun] = field(default_factory=dict)
    _earliest: ReportMonth | None = None  # that the ledger knows
    _closed: set[ReportMonth] = field(default_factory=set)  # whose closing is recorded
    _tallied: tuple[str, bool] = ("", False)  # a run, and whether its month was complete after it
    _lost_at: float | None = None  # monotonic: since when the store has been away

    def __post_init__(self) -> None:
        """Begin."""
        self._began = self.clock.monotonic()

    def ready(self) -> None:
        """Make the store's tables usable, now or, if it is away, as soon as it is back; raise SchemaOutdated."""
        try:
            self.prepare_store()
        except StoreUnavailable as lost:
            self._lost(lost.message)

    def prepare_store(self) -> None:
        """Make the store's tables usable, if that was not done yet; raise StoreUnavailable, SchemaOutdated."""
        if not self._prepared:
            self.prepare()
            self._prepared = True

    def tick(self) -> None:
        """Do what is due now; stand by while another process delivers, and while the store is away."""
        self.worker_health.moved()
        try:
            self.prepare_store()
            # Who holds the lease was said, and the next look tries again; a window ends so when the clock was set.
            with suppress(LeaseHeld, WindowError):
                self._catch_up()
        except StoreUnavailable as lost:
            self._lost(lost.message)
        else:
            if all(own.end is not RunEnd.STORE_LOST for own in self._own.values()):
                self._recovered()
        self.worker_health.moved()

    def _catch_up(self) -> None:
        for month in self._months():
            task = self._task_for(month)
            if task is not None and not self._stopping():
                self._do(task)

    def last_run(self, month: ReportMonth) -> LastRun | None:
        """Return the newest run of a month; raise StoreUnavailable."""
        own, recorded, now = self.own(month), self.runs.last(month), self.clock.now()
        if recorded is None or recorded.started_at > now + FUTURE:
            return own
        age = now - recorded.started_at
        if own is not None and (own.run_id == recorded.run_id or own.age < age):
            return own
        return LastRun(
            began=recorded.started_at,
            age=age,
            fresh=age <= timedelta(seconds=self.clock.monotonic() - self._began),
            end=_end_of(recorded),
            run_id=recorded.run_id,
        )

    def own(self, month: ReportMonth) -> LastRun | None:
        """Return this process's newest run of a month."""
        own = self._own.get(month)
        if own is None:
            return None
        age = timedelta(seconds=self.clock.monotonic() - own.monotonic)
        return LastRun(began=own.began, age=age, fresh=True, end=own.end, run_id=own.run_id)

    def _stopping(self) -> bool:
        return self.reconciler.stop() is not None

    def _months(self) -> Iterator[ReportMonth]:
        """Yield the months that may want something: the newest, and those whose closing is not recorded."""
        newest = self.timetable.newest(self.clock.now())
        if self._earliest is None:
            known = self.status.months()
            self._earliest = known[0] if known else newest
        first = max(self._earliest, newest.shift(-LOOK_BACK), self.first_month or self._earliest)
        self._closed = {month for month in self._closed if month < newest}  # the clock may have been set back
        for index in range(first.index, newest.index + 1):
            month = newest.shift(index - newest.index)
            if month not in self._closed:
                yield month

    def _task_for(self, month: ReportMonth) -> ReconcileTask | None:
        last_run, at = self.last_run(month), self.clock.now()
        if last_run is not None and last_run.end is RunEnd.COMPLETED:
            self._forgive(month, last_run)
            if last_run.began >= self.timetable.window(month).closes <= at:
                self._closed.add(month)
        return task_for(
            month,
            at,
            timetable=self.timetable,
            last_run=last_run,
            complete=self._complete(month, last_run),
            sweep=self.sweep,
        )

    def _forgive(self, month: ReportMonth, last_run: LastRun) -> None:
        """Let a failure of ours be past when another process has come to the end of what we could not."""
        own = self._own.get(month)
        if own is not None and own.run_id != last_run.run_id:
            self._keep(month, None)

    def _keep(self, month: ReportMonth, own: LocalRun | None) -> None:
        """Remember our newest run of a month, or no longer; what failed last shows in our health."""
        if own is None:
            del self._own[month]
        else:
            self._own[month] = own
        self.worker_health.failing = next((each.failing for each in self._own.values() if each.failing), None)

    def _complete(self, month: ReportMonth, last_run: LastRun | None) -> bool:
        """Return True if the month was complete after its newest run; asked once a run."""
        if last_run is None or last_run.end is not RunEnd.COMPLETED or last_run.run_id is None:
            return False
        if self._tallied[0] != last_run.run_id:
            self._tallied = (last_run.run_id, self.status.month_counts(month).complete)
        return self._tallied[1]

    def _do(self, task: ReconcileTask) -> None:
        """Reconcile, and remember how that ended; raise LeaseHeld, WindowError, StoreUnavailable, or a bug."""
        own = LocalRun(began=self.clock.now(), monotonic=self.clock.monotonic())
        try:
            result = self.reconciler.reconcile(
                task.month,
                trigger=task.trigger,
                patience_s=self.patience_s,
                lease_patience_s=0,
                send=task.send,
            )
        except (LeaseHeld, WindowError):
            raise
        except Exception as bug:
            self._keep(task.month, replace(own, failing=f"{type(bug).__name__}: {bug}"))
            raise
        end = _own_end(result, stopping=self._stopping())
        failing = None if result.error is None else result.error.message
        self._keep(task.month, replace(own, end=end, run_id=result.run_id, failing=failing))
        if isinstance(result.error, StoreUnavailable):
            raise result.error

    def _lost(self, why: str) -> None:
        self.events.emit("store.lost", detail=why)
        if self._lost_at is None:
            self._lost_at = self.clock.monotonic()

    def _recovered(self) -> None:
        lost_s = None if self._lost_at is None else round(self.clock.monotonic() - self._lost_at, 1)
        self.events.emit("store.recovered", duration_s=lost_s)
        self._lost_at = None


def _end_of(run: RunRecord) -> RunEnd:
    if run.result in {None, "interrupted"}:
        return RunEnd.OPEN
    return RunEnd.COMPLETED if run.result == "completed" else RunEnd.FAILED


def _own_end(result: RunResult, *, stopping: bool) -> RunEnd:
    if result.error is None:
        return RunEnd.OPEN if stopping else RunEnd.COMPLETED
    return RunEnd.STORE_LOST if isinstance(result.error, StoreUnavailable) else RunEnd.FAILED
