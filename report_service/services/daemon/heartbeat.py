"""The state of the service, said again and again whether or not something happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE
from report_service.domain.reconcile_rule import RunEnd
from report_service.errors import StoreUnavailable
from report_service.ports import HealthSnapshot
from report_service.services.outlook import outlook
from report_service.services.run_result import counts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from report_service.domain.api_clock import ApiClock
    from report_service.domain.months import ReportMonth, SubmissionWindow
    from report_service.domain.reconcile_rule import LastRun
    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Events, Ledger, MonthCounts
    from report_service.services.daemon.health import WorkerHealth
    from report_service.services.daemon.reconcile_loop import ReconcileLoop

CLOSING_DAYS = 5
"""From so many days before its end on, a window that closes with something undelivered is told of each day."""
_DAY_S = 86_400.0
PULSE_S = 60.0
"""At least so often the state is looked at, and told if it is another one: alerts and `health` go by that."""
_ALWAYS_MOVING = frozenset({"forecast_unix", "skew_s"})
"""Figures of a heartbeat that are another one each time, and no news by themselves."""


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """Tells how the newest month stands, in the log and for `health`."""

    watch: ReconcileLoop
    ledger: Ledger
    timetable: Timetable
    api_clock: ApiClock
    clock: Clock
    events: Events
    worker_health: WorkerHealth
    write: Callable[[HealthSnapshot], None]
    redact: Callable[[str], str]
    every_s: float
    requests_per_minute: float
    _failed: bool = False  # the newest run that ended did not go to its end
    _holder: bool = False
    _told: tuple[ReportMonth, int] | None = None  # of which month's end, and with how many days left
    _last_beat: tuple[float, dict[str, object]] | None = (
        None  # when (monotonic), and what it said that may be news
    )

    @property
    def pulse_s(self) -> float:
        """Return how often `pulse` is to be called, in seconds."""
        return min(self.every_s, PULSE_S)

    def pulse(self) -> None:
        """Do as `beat`, but emit run.heartbeat only if it is due, or if the state is another one."""
        self._beat(only_news=True)

    def beat(self) -> None:
        """Emit run.heartbeat, and window.closing if it is time; leave a pulse. Never raises StoreUnavailable."""
        self._beat(only_news=False)

    def _beat(self, *, only_news: bool) -> None:
        at = self.clock.now()
        month = self.timetable.newest(at)
        window = self.timetable.window(month)
        store: str | None = None
        last_run = self.watch.own(month)
        month_counts: MonthCounts | None = None
        figures: dict[str, object] = {}
        try:
            self.watch.prepare_store()
            last_run = self.watch.last_run(month)
            self._holder = self.ledger.leases.holder() == self.ledger.instance
            month_counts = self.ledger.status.month_counts(month)
            figures = counts_of(month_counts) | self._outlook(month_counts, window, at) | self._last_completed()
        except StoreUnavailable as lost:
            store = lost.message
        state = {
            "month": str(month),
            "month_index": month.index,
            "window_opens_unix": int(window.first_send.timestamp()),
            "window_closes_unix": int(window.last_send.timestamp()),
            "last_run_failed": int(self._has_failed(last_run)),
            "lease_holder": self._holder,
            "skew_s": round(abs(self.api_clock.skew_s(at, at=self.clock.monotonic())), 1),
            **figures,
        }
        if self._is_news(state) or not only_news:
            self.events.emit("run.heartbeat", **state)
        if month_counts is not None:
            self._warn(window, month_counts, at)
        self.write(self._pulse(str(month), month_counts, store))

    def _is_news(self, state: dict[str, object]) -> bool:
        """Return True if a heartbeat with this state is due, and remember it."""
        at, said = self.clock.monotonic(), {name: state[name] for name in state.keys() - _ALWAYS_MOVING}
        news = (
            self._last_beat is None
            or said != self._last_beat[1]
            or at - self._last_beat[0] > self.every_s - self.pulse_s / 2  # the nearest pulse: they are not exact
        )
        if news:
            self._last_beat = (at, said)
        return news

    def _has_failed(self, last_run: LastRun | None) -> bool:
        """Return True if the newest run failed; while one goes on, the one before it counts."""
        if last_run is not None and last_run.end is not RunEnd.OPEN:
            self._failed = last_run.end is not RunEnd.COMPLETED
        return self._failed

    def _outlook(self, month_counts: MonthCounts, window: SubmissionWindow, at: datetime) -> dict[str, object]:
        found = outlook(
            self.ledger.attempts, month_counts, window, at=at, rate_per_minute=self.requests_per_minute
        )
        return (
            {"forecast_unix": int(found.done_at.timestamp()), "forecast_in_time": found.in_time} if found else {}
        )

    def _last_completed(self) -> dict[str, object]:
        found = self.ledger.status.last_completed()
        if found is None:
            return {}
        month, at = found
        return {
            "last_completed_month": str(month),
            "last_completed_month_index": month.index,
            "last_completed_unix": int(at.timestamp()),
        }

    def _warn(self, window: SubmissionWindow, month_counts: MonthCounts, at: datetime) -> None:
        """Say, on each of a window's last days, that it closes and its month is not complete."""
        days = math.ceil((window.last_send - at).total_seconds() / _DAY_S)
        if (
            month_counts.complete
            or not month_counts.expected
            or not 0 < days <= CLOSING_DAYS
            or self._told == (window.month, days)
        ):
            return
        self._told = (window.month, days)
        self.events.emit(
            "window.closing",
            month=str(window.month),
            window_closes_unix=int(window.last_send.timestamp()),
            outstanding=month_counts.expected - month_counts.count(DONE),
            detail=month_counts.inventory_doubt or None,
        )

    def _pulse(self, month: str, month_counts: MonthCounts | None, store: str | None) -> HealthSnapshot:
        worker_health = self.worker_health
        crashed = "; ".join(f"{job}: {why}" for job, why in list(worker_health.crashed.items()))
        return HealthSnapshot(
            instance=self.ledger.instance,
            beat_at=self.clock.monotonic(),
            stale_after_s=2 * self.pulse_s + 30,
            moved_at=worker_health.moved_at,
            store=store and self.redact(store),
            failing=worker_health.failing and self.redact(worker_health.failing),
            crashed=self.redact(crashed) or None,
            crashes=worker_health.crashes,
            month=month,
            complete=None if month_counts is None else month_counts.complete,
            outstanding=None if month_counts is None else month_counts.expected - month_counts.count(DONE),
        )
