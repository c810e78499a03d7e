"""The rule that says what is due: whole years of it, and each of its edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from report_service.domain.months import ReportMonth
from report_service.domain.reconcile_rule import COMPLETE_SWEEP, LastRun, ReconcileTask, RunEnd, task_for
from report_service.domain.timetable import Timetable

TABLE = Timetable(
    zone=ZoneInfo("Europe/Berlin"), day=1, hour=6, jitter_s=1800, guard_s=60, owner="a charge point operator"
)
OCTOBER = ReportMonth(2026, 10)
OPENS = datetime(2026, 11, 1, 0, tzinfo=UTC)
RELEASE = TABLE.release(OCTOBER)
CLOSES = datetime(2026, 11, 30, 23, tzinfo=UTC)
SWEEP = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


def due(at: datetime, last_run: LastRun | None = None, *, complete: bool = False) -> ReconcileTask | None:
    seen = last_run and replace(last_run, age=at - last_run.began)
    return task_for(OCTOBER, at, timetable=TABLE, last_run=seen, complete=complete, sweep=SWEEP)


def ran(at: datetime, end: RunEnd = RunEnd.COMPLETED, *, fresh: bool = True) -> LastRun:
    return LastRun(began=at, age=timedelta(), fresh=fresh, end=end)


def test_nothing_is_due_for_a_month_that_is_not_over() -> None:
    assert due(OPENS - SECOND) is None


@pytest.mark.parametrize(
    ("at", "send"),
    [
        (OPENS, False),
        (RELEASE - SECOND, False),
        (RELEASE, True),
        (datetime(2026, 11, 3, 14, tzinfo=UTC), True),
        (CLOSES - SECOND, True),
        (CLOSES, False),
    ],
)
def test_a_month_that_never_ran_is_due_at_once_and_sent_only_from_its_release_on(at: datetime, send: bool) -> None:
    assert due(at) == ReconcileTask(month=OCTOBER, trigger="daemon", send=send)


def test_the_release_is_due_although_a_sweep_has_just_planned() -> None:
    planned = ran(RELEASE - SECOND)

    assert due(RELEASE - timedelta(milliseconds=1), planned) is None
    assert due(RELEASE, planned) == ReconcileTask(month=OCTOBER, trigger="daemon", send=True)
    assert due(RELEASE + SECOND, ran(RELEASE)) is None


def test_a_start_reconciles_whatever_was_done_before() -> None:
    at = datetime(2026, 11, 10, 12, tzinfo=UTC)
    start = ReconcileTask(month=OCTOBER, trigger="daemon", send=True)

    assert due(at, ran(at - SECOND, fresh=False), complete=True) == start
    assert due(at, ran(at - SECOND), complete=True) is None


@pytest.mark.parametrize(
    ("end", "complete", "pause"),
    [
        (RunEnd.COMPLETED, False, SWEEP),
        (RunEnd.COMPLETED, True, COMPLETE_SWEEP),
        (RunEnd.FAILED, False, SWEEP),
        (RunEnd.FAILED, True, SWEEP),
        (RunEnd.STORE_LOST, False, timedelta(minutes=1)),
        (RunEnd.OPEN, False, timedelta()),
    ],
)
def test_sweeps_come_as_often_as_what_is_left_asks_for(end: RunEnd, complete: bool, pause: timedelta) -> None:
    began = datetime(2026, 11, 10, 12, tzinfo=UTC)
    sweep = ReconcileTask(month=OCTOBER, trigger="sweep", send=True)

    assert due(began + pause, ran(began, end), complete=complete) == sweep
    if pause:
        assert due(began + pause - SECOND, ran(began, end), complete=complete) is None


@pytest.mark.parametrize(
    ("left", "pause"),
    [
        (timedelta(hours=2, minutes=15), timedelta(minutes=15)),
        (timedelta(hours=1), timedelta(minutes=6, seconds=40)),  # an eighth of what is left when it comes
        (timedelta(minutes=8), timedelta(minutes=1)),
        (timedelta(minutes=3), timedelta(minutes=1)),
    ],
)
def test_sweeps_come_closer_together_near_the_end(left: timedelta, pause: timedelta) -> None:
    began = CLOSES - timedelta(seconds=60) - left

    assert due(began + pause, ran(began)) is not None
    assert due(began + pause - SECOND, ran(began)) is None


def test_a_closing_is_due_once() -> None:
    assert due(CLOSES, ran(CLOSES - SECOND)) == ReconcileTask(month=OCTOBER, trigger="daemon", send=False)
    assert due(CLOSES + timedelta(days=40), ran(CLOSES, fresh=False)) is None


def test_a_closing_that_did_not_come_to_its_end_is_repeated() -> None:
    again = ReconcileTask(month=OCTOBER, trigger="sweep", send=False)

    assert due(CLOSES + SECOND, ran(CLOSES, RunEnd.OPEN)) == again
    assert due(CLOSES + SWEEP - SECOND, ran(CLOSES, RunEnd.FAILED)) is None
    assert due(CLOSES + SWEEP, ran(CLOSES, RunEnd.FAILED)) == again


class Year:
    """A daemon's runs, one look every so often; `complete_after` a month's runs it is complete."""

    def __init__(self, began: datetime, *, every: timedelta, complete_after: int = 3) -> None:
        self.at = self.began = began
        self.every = every
        self.runs: list[tuple[datetime, ReconcileTask]] = []
        self._complete_after = complete_after
        self._past: dict[ReportMonth, LastRun] = {}
        self._sent: dict[ReportMonth, int] = {}

    def tick(self) -> None:
        newest = TABLE.newest(self.at)
        for month in (newest.shift(-1), newest):
            if month < newest and month not in self._past:
                continue  # before this ledger's time
            task = task_for(
                month,
                self.at,
                timetable=TABLE,
                last_run=self._seen(month),
                complete=self._sent.get(month, 0) >= self._complete_after,
                sweep=SWEEP,
            )
            if task is not None:
                self.runs.append((self.at, task))
                self._past[month] = ran(self.at)
                self._sent[month] = self._sent.get(month, 0) + task.send

    def _seen(self, month: ReportMonth) -> LastRun | None:
        last_run = self._past.get(month)
        return last_run and replace(last_run, age=self.at - last_run.began)

    def go(self, until: datetime) -> None:
        while self.at < until:
            self.tick()
            self.at = min(self.at + self.every, TABLE.next_instant(self.at))


@pytest.mark.parametrize("start", ["2026-10-28T10:00", "2027-12-28T23:30", "2028-02-28T00:00"])
def test_through_a_year_each_month_is_planned_released_and_closed_on_time_and_never_sent_outside(
    start: str,
) -> None:
    began = datetime.fromisoformat(start).replace(tzinfo=UTC)
    year = Year(began, every=timedelta(minutes=30))
    year.go(began + timedelta(days=370))

    first = TABLE.newest(began)
    assert year.runs[0] == (began, ReconcileTask(month=first, trigger="daemon", send=True))
    for month in (first.shift(n) for n in range(1, 12)):
        window, release = TABLE.window(month), TABLE.release(month)
        runs = [(at, task) for at, task in year.runs if task.month == month]
        sending = [at for at, task in runs if task.send]
        assert runs[0] == (window.opens, ReconcileTask(month=month, trigger="daemon", send=False))
        assert sending[0] == release
        assert all(release <= at < window.closes for at in sending)
        assert runs[-1] == (window.closes, ReconcileTask(month=month, trigger="daemon", send=False))
        assert [at for at, task in runs if at >= window.closes] == [window.closes]
        assert 100 < len(runs) < 160  # until it is complete a sweep every look, then four a day


def test_a_month_that_is_never_complete_is_tried_to_its_last_minute_and_not_after() -> None:
    year = Year(CLOSES - timedelta(days=1), every=timedelta(seconds=15), complete_after=10_000)
    year.go(CLOSES + timedelta(hours=2))

    sending = [at for at, task in year.runs if task.month == OCTOBER and task.send]
    gaps = [after - before for before, after in pairwise(sending)]
    assert max(gaps) <= SWEEP
    assert sending[-1] > CLOSES - timedelta(minutes=2)
    assert gaps == sorted(gaps, reverse=True)
