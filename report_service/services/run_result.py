"""What a run came to, as figures: for its caller, for the ledger, and for its one canonical line in the log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, State
from report_service.errors import ReportServiceError, StoreUnavailable
from report_service.services.delivery.run_stats import RunStats

if TYPE_CHECKING:
    from report_service.domain.forecast import Forecast
    from report_service.domain.month_plan import Plan
    from report_service.domain.months import ReportMonth, SubmissionWindow
    from report_service.ports import Events, MonthCounts


@dataclass(slots=True, kw_only=True)
class RunResult:
    """What a run came to."""

    run_id: str
    month: ReportMonth
    window: SubmissionWindow
    started: float  # monotonic
    plan: Plan | None = None
    stats: RunStats | None = None  # of its delivery; None: it did not come to that
    month_counts: MonthCounts | None = None
    outlook: Forecast | None = None
    closed: bool = False  # the window is over, and what there was to say of that was said
    error: ReportServiceError | None = None  # why it could not go to its end

    @property
    def complete(self) -> bool:
        """Return True if the run went to its end, and the month is complete (law 7)."""
        return self.error is None and self.month_counts is not None and self.month_counts.complete

    def outcome(self, *, stopping: bool) -> str:
        """Return how the run ended, for the ledger: `interrupted` is one that should be made again at once."""
        stats = self.stats
        if isinstance(self.error, StoreUnavailable) and not self.closed:
            return "interrupted"
        if self.error is not None:
            return "halted" if stats is not None and stats.halted else "failed"
        return "interrupted" if stats is not None and stats.stopped and stopping else "completed"

    def figures(self, *, duration_s: float, skew_s: float) -> dict[str, object]:
        """Return the figures of the delivery, as the log names them."""
        stats = self.stats or RunStats()
        fields: dict[str, object] = {
            "complete": self.complete,
            "sent": stats.requests,
            "throttled": stats.throttled,
            "source_faults": None if self.plan is None else self.plan.problem_count,
            "implausible_figures": None if self.plan is None else len(self.plan.implausible),
            "rate_per_minute": round(60 * stats.requests / duration_s, 1) if duration_s > 0 else 0.0,
        }
        if self.stats is not None:
            fields["skew_s"] = round(abs(skew_s), 1)
        if self.outlook is not None:
            fields["forecast_unix"] = int(self.outlook.done_at.timestamp())
            fields["forecast_in_time"] = self.outlook.in_time
        return fields


def counts_of(counts: MonthCounts) -> dict[str, object]:
    """Return a month's counts as the log has them."""
    states = {state.value: counts.count([state]) for state in State}
    return {
        "expected": counts.expected,
        "delivered": counts.count(DONE),
        "drifted": counts.drifted,
        "inventory_in_doubt": int(bool(counts.inventory_doubt)),
        **states,
    }


def emit_end(
    events: Events, result: RunResult, fields: dict[str, object], *, outcome: str, crash: BaseException | None
) -> None:
    """Write the run's canonical line, and what goes with it."""
    error, month = crash or result.error, str(result.month)
    if error is None:
        events.emit("run.completed", **fields)
    else:
        reason, detail = reason_of(error), str(error)
        hint = error.hint if isinstance(error, ReportServiceError) else None
        if outcome == "halted":
            events.emit("run.halted", month=month, reason=reason, detail=detail, hint=hint)
        events.emit("run.failed", **fields, reason=reason, detail=detail, hint=hint, exception=crash)
    if result.month_counts is not None and result.outlook is not None and not result.outlook.in_time:
        events.emit(
            "forecast.late",
            month=month,
            window_closes_unix=int(result.window.last_send.timestamp()),
            outstanding=result.month_counts.expected - result.month_counts.count(DONE),
            forecast_unix=int(result.outlook.done_at.timestamp()),
        )


def reason_of(error: BaseException) -> str:
    """Return the name of an error as a word that can be counted: `lease_lost`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
