"""What the daemon does, and when: a pure rule, and the watch that goes by it.

The rule is asked every few seconds, and answers from what the ledger says of a month's runs, whoever made them. So
an alarm that was missed costs nothing; a start, a restart, a month's turn, a clock that was set and the death of
another process are one case: something is due, and was not done.

    window opens     plan, so that every due report has its row; send nothing yet
    release          the first delivery (`Timetable.release`)
    start            at once, whatever was done before: catch up if the release is past
    sweep            again and again while the month is not complete, closer together near its end
    left unfinished  at once: if its process lives, the lease says so, and this one stands by
    window closes    once: what is left is missed or unresolved, and that is said
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.errors import LeaseHeld, StoreUnavailable, WindowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Events, Ledger, RunRecord
    from report_service.services.health import Vitals
    from report_service.services.reconcile import Reconciler, RunResult

COMPLETE_SWEEP = timedelta(hours=6)
"""How often a complete month is planned again: hubs may be entered late, delivered rows may change."""
CLOSEST_SWEEP = timedelta(minutes=1)
"""Near the end of a window, and after the store failed, sweeps are no closer together than this."""
SHARE_OF_REST = 8
"""Near the end of a window a sweep comes after this part of what is left of it."""
FUTURE = timedelta(minutes=5)
"""A run that began later than this from now is of a clock that was wrong: it says nothing."""
LOOK_BACK = 12
"""Months that closed longer ago are for `backfill`."""


class End(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STORE_LOST = "store_lost"  # of our own runs: the ledger may not know how it ended
    OPEN = "open"  # it goes on, or its process died or was stopped in the middle


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The newest run of a month, as the ledger has it or this process remembers it."""

    began: datetime  # by the wall clock as it went then
    age: timedelta  # since then; of our own runs by the monotonic clock, which nobody sets
    fresh: bool  # it began after this process did
    end: End
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A reconcile that is due."""

    month: ReportMonth
    trigger: str  # daemon: the calendar or the start asks for it; sweep: it is time to look again
    send: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """What this process remembers of its newest run of a month."""

    began: datetime
    monotonic: float
    end: End = End.FAILED
    run_id: str | None = None
    failing: str | None = None  # why it did not go to its end


def work_for(
    month: ReportMonth,
    at: datetime,
    *,
    timetable: Timetable,
    past: Past | None,
    complete: bool,
    sweep: timedelta,
) -> Work | None:
    """Return what is to be done for a month at an instant, if anything.

    `past` is its newest run, `complete` whether nothing was left after that.
    """
    window, release = timetable.window(month), timetable.release(month)
    if at < window.opens:
        return None
    closed = window.has_closed(at)
    send = not closed and at >= release
    milestone = window.closes if closed else release if send else window.opens
    if past is None or past.began < milestone or not (past.fresh or closed):
        return Work(month=month, trigger="daemon", send=send)
    if closed and past.end is End.COMPLETED:
        return None
    if past.end is End.OPEN or past.age >= _pause(past, complete, window.last_send - at, closed, sweep):
        return Work(month=month, trigger="sweep", send=send)
    return None


def _pause(past: Past, complete: bool, rest: timedelta, closed: bool, sweep: timedelta) -> timedelta:
    """Return how long after a run began the next one is due."""
    if past.end is End.STORE_LOST:
        return CLOSEST_SWEEP
    if past.end is End.COMPLETED and complete:
        return COMPLETE_SWEEP
    return sweep if closed else min(sweep, max(rest / SHARE_OF_REST, CLOSEST_SWEEP))


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks what is due, and does it."""

    reconciler: Reconciler
    ledger: Ledger
    timetable: Timetable
    clock: Clock
    events: Events
    vitals: Vitals
    prepare: Callable[[], None]  # make the store's tables usable; may raise SchemaOutdated, StoreUnavailable
    first_month: ReportMonth | None
    sweep: timedelta
    patience_s: float
    _prepared: bool = False
    _began: float = field(init=False)  # monotonic
    _own: dict[ReportMonth, _Own] = field(default_factory=dict)
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
            self._ready()
        except StoreUnavailable as lost:
            self._lost(lost.message)

    def _ready(self) -> None:
        if not self._prepared:
            self.prepare()
            self._prepared = True

    def look(self) -> None:
        """Do what is due now; stand by while another process delivers, and while the store is away."""
        self.vitals.moved()
        try:
            self._ready()
            # Who holds the lease was said, and the next look tries again; a window ends so when the clock was set.
            with suppress(LeaseHeld, WindowError):
                self._catch_up()
        except StoreUnavailable as lost:
            self._lost(lost.message)
        else:
            if all(own.end is not End.STORE_LOST for own in self._own.values()):
                self._recovered()
        self.vitals.moved()

    def _catch_up(self) -> None:
        for month in self._months():
            work = self._work_for(month)
            if work is not None and not self._stopping():
                self._do(work)

    def past(self, month: ReportMonth) -> Past | None:
        """Return the newest run of a month; raise StoreUnavailable."""
        own, recorded, now = self.own(month), self.ledger.last_run(month), self.clock.now()
        if recorded is None or recorded.started_at > now + FUTURE:
            return own
        age = now - recorded.started_at
        if own is not None and (own.run_id == recorded.run_id or own.age < age):
            return own
        return Past(
            began=recorded.started_at,
            age=age,
            fresh=age <= timedelta(seconds=self.clock.monotonic() - self._began),
            end=_end_of(recorded),
            run_id=recorded.run_id,
        )

    def own(self, month: ReportMonth) -> Past | None:
        """Return this process's newest run of a month."""
        own = self._own.get(month)
        if own is None:
            return None
        age = timedelta(seconds=self.clock.monotonic() - own.monotonic)
        return Past(began=own.began, age=age, fresh=True, end=own.end, run_id=own.run_id)

    def _stopping(self) -> bool:
        return self.reconciler.means.stop() is not None

    def _months(self) -> Iterator[ReportMonth]:
        """Yield the months that may want something: the newest, and those whose closing is not recorded."""
        newest = self.timetable.newest(self.clock.now())
        if self._earliest is None:
            known = self.ledger.months()
            self._earliest = known[0] if known else newest
        first = max(self._earliest, newest.shift(-LOOK_BACK), self.first_month or self._earliest)
        self._closed = {month for month in self._closed if month < newest}  # the clock may have been set back
        for index in range(first.index, newest.index + 1):
            month = newest.shift(index - newest.index)
            if month not in self._closed:
                yield month

    def _work_for(self, month: ReportMonth) -> Work | None:
        past, at = self.past(month), self.clock.now()
        if past is not None and past.end is End.COMPLETED:
            self._forgive(month, past)
            if past.began >= self.timetable.window(month).closes <= at:
                self._closed.add(month)
        return work_for(
            month,
            at,
            timetable=self.timetable,
            past=past,
            complete=self._complete(month, past),
            sweep=self.sweep,
        )

    def _forgive(self, month: ReportMonth, past: Past) -> None:
        """Let a failure of ours be past when another process has come to the end of what we could not."""
        own = self._own.get(month)
        if own is not None and own.run_id != past.run_id:
            self._keep(month, None)

    def _keep(self, month: ReportMonth, own: _Own | None) -> None:
        """Remember our newest run of a month, or no longer; what failed last shows in our health."""
        if own is None:
            del self._own[month]
        else:
            self._own[month] = own
        self.vitals.failing = next((each.failing for each in self._own.values() if each.failing), None)

    def _complete(self, month: ReportMonth, past: Past | None) -> bool:
        """Say whether the month was complete after its newest run; asked once a run."""
        if past is None or past.end is not End.COMPLETED or past.run_id is None:
            return False
        if self._tallied[0] != past.run_id:
            self._tallied = (past.run_id, self.ledger.tally(month).complete)
        return self._tallied[1]

    def _do(self, work: Work) -> None:
        """Reconcile, and remember how that ended; raise LeaseHeld, WindowError, StoreUnavailable, or a bug."""
        own = _Own(began=self.clock.now(), monotonic=self.clock.monotonic())
        try:
            result = self.reconciler.reconcile(
                work.month,
                trigger=work.trigger,
                patience_s=self.patience_s,
                lease_patience_s=0,
                send=work.send,
            )
        except (LeaseHeld, WindowError):
            raise
        except Exception as bug:
            self._keep(work.month, replace(own, failing=f"{type(bug).__name__}: {bug}"))
            raise
        end = _own_end(result, stopping=self._stopping())
        failing = None if result.error is None else result.error.message
        self._keep(work.month, replace(own, end=end, run_id=result.run_id, failing=failing))
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


def _end_of(run: RunRecord) -> End:
    if run.result in {None, "interrupted"}:
        return End.OPEN
    return End.COMPLETED if run.result == "completed" else End.FAILED


def _own_end(result: RunResult, *, stopping: bool) -> End:
    if result.error is None:
        return End.OPEN if stopping else End.COMPLETED
    return End.STORE_LOST if isinstance(result.error, StoreUnavailable) else End.FAILED
