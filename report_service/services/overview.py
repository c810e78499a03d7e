"""Several months at a glance, and the runs that were made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.errors import UsageError
from report_service.services.status import iso

if TYPE_CHECKING:
    from report_service.ports import MonthCounts, RunRecord, StatusQueries

MONTHS_LIMIT = 120
"""Ten years: as long as anything is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthGlance:
    """One month in one line."""

    counts: MonthCounts
    window: SubmissionWindow

    @property
    def done(self) -> int:
        """Return how many due reports are in, or need not be."""
        return self.counts.count(DONE)

    @property
    def settled(self) -> bool:
        """Return True if it is complete, with the figures of today."""
        return self.counts.complete and not self.counts.drifted

    def as_json(self) -> dict[str, object]:
        """Return it as `status --from --json` prints it."""
        return {
            "month": str(self.counts.month),
            "window": {"opens": iso(self.window.opens), "closes": iso(self.window.closes)},
            "expected": self.counts.expected,
            "done": self.done,
            "by_state": {state.value: self.counts.count([state]) for state in State},
            "drifted": self.counts.drifted,
            "complete": self.counts.complete,
        }


def glance(status: StatusQueries, first: ReportMonth, last: ReportMonth, *, guard_s: float) -> list[MonthGlance]:
    """Return the months from `first` to `last`, both included, oldest first; raise UsageError."""
    if first > last:
        raise UsageError(f"{first} comes after {last}", hint="--from names the first month, --month the last.")
    if last.index - first.index >= MONTHS_LIMIT:
        raise UsageError(f"more than {MONTHS_LIMIT} months were asked for", hint="Name a later month with --from.")
    months = [ReportMonth.from_index(index) for index in range(first.index, last.index + 1)]
    return [
        MonthGlance(counts=status.month_counts(month), window=SubmissionWindow.of(month, guard_s=guard_s))
        for month in months
    ]


def run_json(run: RunRecord) -> dict[str, object]:
    """Return a run as `status --runs --json` prints it."""
    return {
        "run_id": run.run_id,
        "month": str(run.month),
        "started_by": run.started_by,
        "instance": run.instance,
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "duration_s": duration_s(run),
        "result": run.result,
        "detail": run.detail,
        "summary": dict(run.summary),
    }


def duration_s(run: RunRecord) -> float | None:
    """Return how long a run took; None: it has no end."""
    return round((run.ended_at - run.started_at).total_seconds(), 3) if run.ended_at else None
