"""What the daemon is to do for a month, and when: a pure rule.

It is asked every few seconds, and answers from what the ledger says of a month's runs, whoever made them. So an
alarm that was missed costs nothing; a start, a restart, a month's turn, a clock that was set and the death of
another process are one case: something is due, and was not done.

    window opens     plan, so that every due report has its row; send nothing yet
    release          the first delivery (`Timetable.release`)
    start            at once, whatever was done before: catch up if the release is past
    sweep            again and again while the month is not complete, closer together near its end
    left unfinished  at once: if its process lives, the lease says so, and this one stands by
    window closes    once: what is left is missed or unresolved, and that is said
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from report_service.domain.months import ReportMonth
    from report_service.domain.timetable import Timetable

COMPLETE_SWEEP = timedelta(hours=6)
"""How often a complete month is planned again: hubs may be entered late, delivered rows may change."""
CLOSEST_SWEEP = timedelta(minutes=1)
"""Near the end of a window, and after the store failed, sweeps are no closer together than this."""
SHARE_OF_REST = 8
"""Near the end of a window a sweep comes after this part of what is left of it."""


class RunEnd(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STORE_LOST = "store_lost"  # of our own runs: the ledger may not know how it ended
    OPEN = "open"  # it goes on, or its process died or was stopped in the middle


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """The newest run of a month, as the ledger has it or this process remembers it."""

    began: datetime  # by the wall clock as it went then
    age: timedelta  # since then; of our own runs by the monotonic clock, which nobody sets
    fresh: bool  # it began after this process did
    end: RunEnd
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileTask:
    """A reconcile that is due."""

    month: ReportMonth
    trigger: str  # daemon: the calendar or the start asks for it; sweep: it is time to look again
    send: bool


def task_for(
    month: ReportMonth,
    at: datetime,
    *,
    timetable: Timetable,
    last_run: LastRun | None,
    complete: bool,
    sweep: timedelta,
) -> ReconcileTask | None:
    """Return what is to be done for a month at an instant, if anything.

    `last_run` is its newest run, `complete` whether nothing was left after that.
    """
    window, release = timetable.window(month), timetable.release(month)
    if at < window.opens:
        return None
    closed = window.has_closed(at)
    send = not closed and at >= release
    milestone = window.closes if closed else release if send else window.opens
    if last_run is None or last_run.began < milestone or not (last_run.fresh or closed):
        return ReconcileTask(month=month, trigger="daemon", send=send)
    if closed and last_run.end is RunEnd.COMPLETED:
        return None
    if last_run.end is RunEnd.OPEN or last_run.age >= _pause(
        last_run, complete, window.last_send - at, closed, sweep
    ):
        return ReconcileTask(month=month, trigger="sweep", send=send)
    return None


def _pause(last_run: LastRun, complete: bool, rest: timedelta, closed: bool, sweep: timedelta) -> timedelta:
    """Return how long after a run began the next one is due."""
    if last_run.end is RunEnd.STORE_LOST:
        return CLOSEST_SWEEP
    if last_run.end is RunEnd.COMPLETED and complete:
        return COMPLETE_SWEEP
    return sweep if closed else min(sweep, max(rest / SHARE_OF_REST, CLOSEST_SWEEP))
