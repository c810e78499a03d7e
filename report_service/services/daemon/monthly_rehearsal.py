"""The running month, rehearsed by the daemon while there is time to mend what it lacks."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE
from report_service.errors import ReportServiceError, StoreUnavailable
from report_service.ports import RunRecord
from report_service.services.run_result import counts_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from report_service.domain.months import ReportMonth
    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Events, Ledger
    from report_service.services.rehearsal import Rehearsed

STARTED_BY = "rehearsal"
"""What the ledger's record of runs calls it."""
NAMED = 5
"""So many outstanding reports are named in the log; `report-service rehearse` lists all."""


@dataclass(slots=True, kw_only=True)
class MonthlyRehearsal:
    """Rehearses on a day of the month, and on each day after it until nothing would be missing.

    Of several daemons one does it: a day's rehearsal has its own id in the record of runs, which takes it once.
    """

    timetable: Timetable
    first_month: ReportMonth | None
    cpo_id: str
    ledger: Ledger
    clock: Clock
    events: Events
    prepare_store: Callable[[], None]  # make the store's tables usable; may raise StoreUnavailable
    rehearse: Callable[[ReportMonth, datetime], Rehearsed]  # may raise ReportServiceError
    _seen_to: tuple[ReportMonth, date] | None = None  # by this process or another one

    def look(self) -> None:
        """Rehearse if it is time; while the store is away, do so when it is back."""
        at = self.clock.now()
        due = self.timetable.rehearsal(at)
        if due is None or due == self._seen_to or (self.first_month and due[0] < self.first_month):
            return
        try:
            self.prepare_store()
            run = self._begin(*due, at)
        except StoreUnavailable:
            return
        self._seen_to = due
        if run is not None:
            self._rehearse(run)

    def _begin(self, month: ReportMonth, day: date, at: datetime) -> RunRecord | None:
        """Record that a rehearsal begins; return None if none is needed any more, or another process makes it."""
        last = self.ledger.runs.last(month)
        if last is not None and last.started_by == STARTED_BY and last.summary.get("complete"):
            return None
        name = f"{self.ledger.endpoint} {self.cpo_id} {STARTED_BY} {month} {day}"
        run = RunRecord(
            run_id=str(uuid.uuid5(uuid.NAMESPACE_OID, name)), month=month, started_by=STARTED_BY, started_at=at
        )
        return run if self.ledger.runs.begin(run, instance=self.ledger.instance) else None

    def _rehearse(self, run: RunRecord) -> None:
        events, began = self.events.bind(run_id=run.run_id), self.clock.monotonic()
        summary: dict[str, object] = {"month": str(run.month)}
        try:
            done = self.rehearse(run.month, run.started_at)
        except ReportServiceError as why:
            ended = replace(run, result="failed", detail=str(why))
            events.emit("rehearsal.failed", **summary, reason=reason_of(why), detail=why.message, hint=why.hint)
        else:
            ended = replace(run, result="completed")
            summary |= _figures(done) | {"duration_s": round(self.clock.monotonic() - began, 3)}
            events.emit("rehearsal.completed", **summary, detail=_said(done))
        with suppress(StoreUnavailable):  # it was told; the next day's is another one
            self.ledger.runs.end(replace(ended, ended_at=self.clock.now()), summary=summary)


def _figures(done: Rehearsed) -> dict[str, object]:
    counts = done.status.month_counts
    return {
        "month_index": done.status.month.index,
        **counts_of(counts),
        "outstanding": counts.expected - counts.count(DONE),
        "complete": counts.complete and not done.doubts,
        "implausible_figures": len(done.status.implausible),
    }


def _said(done: Rehearsed) -> str | None:
    """Return in words what would be missing, as far as a line of the log has room for it."""
    status = done.status
    named = [f"{one.key} is {one.state}: {status.reason(one)}" for one in status.outstanding[:NAMED]]
    more = len(status.outstanding) - NAMED
    return "; ".join([*done.doubts, *named, *([f"and {more:,} more"] if more > 0 else [])]) or None
