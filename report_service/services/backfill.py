"""Make up for a stopped daemon: deliver what the windows still allow, record the rest, and hand it over."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, OVER, SENDABLE, State
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from report_service.domain.month_plan import Plan
    from report_service.ports import Clock, Events, StatusQueries, Undelivered
    from report_service.services.reconcile import Reconciler
    from report_service.services.run_result import RunResult


class Fate(StrEnum):
    """What can still be done for a month."""

    DELIVER = "deliver"  # its window is open
    HAND_OVER = "hand over"  # its window has closed: what is missing goes by other means
    COMPLETE = "nothing"  # all is in


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPlan:
    """What backfill would do for one month."""

    month: ReportMonth
    fate: Fate
    known: bool  # the ledger has seen it before
    plan: Plan = field(repr=False)

    @property
    def delivered(self) -> int:
        """Return how many due reports are done."""
        return sum(self.plan.by_state[state] for state in DONE)

    @property
    def sendable(self) -> int:
        """Return how many can be sent now."""
        return sum(self.plan.by_state[state] for state in SENDABLE | {State.IN_FLIGHT})

    @property
    def lost(self) -> int:
        """Return how many the API will not take any more."""
        return sum(self.plan.by_state[state] for state in OVER)

    @property
    def blocked(self) -> int:
        """Return how many lack data, or have data that the API would refuse."""
        return self.plan.expected - self.delivered - self.sendable - self.lost


@dataclass(slots=True, kw_only=True)
class Backfilled:
    """What backfill did for one month."""

    month: ReportMonth
    result: RunResult
    undelivered: Sequence[Undelivered]  # for the hand-over package; empty for a month whose window is open


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """Backfills months of one ledger; idempotent, and resumed by calling it again."""

    status: StatusQueries
    reconciler: Reconciler
    clock: Clock
    events: Events
    window_guard_s: float
    first_month: ReportMonth | None

    def months(self, first: ReportMonth | None, last: ReportMonth | None) -> list[ReportMonth]:
        """Return the months to look at, in order, never before `first_month`; raise BadInput.

        By default from the first month that is due, or that the ledger knows, to the previous one.
        """
        previous = ReportMonth.previous(self.clock.now())
        last = last or previous
        if last > previous:
            raise BadInput(
                f"{last} is not over: it cannot be reported yet", hint=f"The last month that can is {previous}."
            )
        first = first or self.first_month or next(iter(self.status.months()), last)
        if self.first_month is not None:
            first = max(first, self.first_month)
        if first > last:
            raise BadInput(
                f"there is no month from {first} to {last}",
                hint="--from must not lie after --to, and nothing is due before schedule.first_month.",
            )
        return [ReportMonth.from_index(index) for index in range(first.index, last.index + 1)]

    def preview(self, months: Sequence[ReportMonth]) -> Iterator[MonthPlan]:
        """Yield what would be done for each month, writing nothing."""
        seen = set(self.status.months())
        for month in months:
            closed = self._window(month).has_closed(self.clock.now())
            plan = self.reconciler.planner(self.events).preview(month, closed=closed)
            fate = Fate.COMPLETE if plan.complete else Fate.HAND_OVER if closed else Fate.DELIVER
            yield MonthPlan(month=month, fate=fate, known=month in seen, plan=plan)

    def carry_out(self, months: Sequence[ReportMonth], *, patience_s: float) -> Iterator[Backfilled]:
        """Reconcile each month and yield what came of it; stop after a run that was stopped.

        The month whose window is open comes first: only there time matters. Raises LeaseHeld.
        """
        for month in sorted(months, key=lambda month: self._window(month).has_closed(self.clock.now())):
            result = self.reconciler.reconcile(month, trigger="backfill", patience_s=patience_s)
            closed = self._window(month).has_closed(self.clock.now())
            undelivered = self.status.undelivered(month) if closed else []
            yield Backfilled(month=month, result=result, undelivered=undelivered)
            if result.error is not None or self.reconciler.stop() is not None:
                return

    def _window(self, month: ReportMonth) -> SubmissionWindow:
        return SubmissionWindow.of(month, guard_s=self.window_guard_s)
