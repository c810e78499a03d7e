"""The state of the service, said again and again whether or not something happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.delivery import DONE, SENDABLE, State
from report_service.domain.forecast import forecast
from report_service.errors import StoreUnavailable
from report_service.ports import Pulse
from report_service.services.reconcile import counts_of
from report_service.services.watch import End

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from report_service.domain.months import ReportMonth, SubmissionWindow
    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Events, Ledger, Tally
    from report_service.services.health import Vitals
    from report_service.services.watch import Past, Watch

CLOSING_DAYS = 5
"""From so many days before its end on, a window that closes with something undelivered is told of each day."""
_DAY_S = 86_400.0


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """Tells how the newest month stands, in the log and for `health`."""

    watch: Watch
    ledger: Ledger
    timetable: Timetable
    clock: Clock
    events: Events
    vitals: Vitals
    write: Callable[[Pulse], None]
    redact: Callable[[str], str]
    instance: str
    every_s: float
    requests_per_minute: float
    _failed: bool = False  # the newest run that ended did not go to its end
    _holder: bool = False
    _told: tuple[ReportMonth, int] | None = None  # of which month's end, and with how many days left

    def beat(self) -> None:
        """Emit run.heartbeat, and window.closing if it is time; leave a pulse. Never raises StoreUnavailable."""
        at = self.clock.now()
        month = self.timetable.newest(at)
        window = self.timetable.window(month)
        store: str | None = None
        past = self.watch.own(month)
        tally: Tally | None = None
        figures: dict[str, object] = {}
        try:
            past = self.watch.past(month)
            self._holder = self.ledger.holder() == self.instance
            tally = self.ledger.tally(month)
            figures = counts_of(tally) | self._outlook(tally, window, at) | self._last_completed()
        except StoreUnavailable as lost:
            store = lost.message
        self.events.emit(
            "run.heartbeat",
            month=str(month),
            month_index=month.index,
            window_opens_unix=int(window.first_send.timestamp()),
            window_closes_unix=int(window.last_send.timestamp()),
            last_run_failed=int(self._has_failed(past)),
            lease_holder=self._holder,
            skew_s=round(abs(self.watch.reconciler.session.skew_s), 1),
            **figures,
        )
        if tally is not None:
            self._warn(window, tally.expected - tally.count(DONE), at)
        self.write(self._pulse(store))

    def _has_failed(self, past: Past | None) -> bool:
        """Say whether the newest run failed; while one goes on, the one before it counts."""
        if past is not None and past.end is not End.OPEN:
            self._failed = past.end is not End.COMPLETED
        return self._failed

    def _outlook(self, tally: Tally, window: SubmissionWindow, at: datetime) -> dict[str, object]:
        waiting = self.ledger.waiting(tally.month)
        outlook = forecast(
            window,
            at=at,
            to_send=tally.count(SENDABLE | {State.IN_FLIGHT}),
            rate_per_minute=self.requests_per_minute,
            failure_rate=0.0,
            last_retry_at=waiting and waiting[1],
        )
        if outlook is None:
            return {}
        return {"forecast_unix": int(outlook.done_at.timestamp()), "forecast_in_time": outlook.in_time}

    def _last_completed(self) -> dict[str, object]:
        found = self.ledger.last_completed()
        if found is None:
            return {}
        month, at = found
        return {
            "last_completed_month": str(month),
            "last_completed_month_index": month.index,
            "last_completed_unix": int(at.timestamp()),
        }

    def _warn(self, window: SubmissionWindow, outstanding: int, at: datetime) -> None:
        """Say, on each of a window's last days, that it closes with something undelivered."""
        days = math.ceil((window.last_send - at).total_seconds() / _DAY_S)
        if not outstanding or not 0 < days <= CLOSING_DAYS or self._told == (window.month, days):
            return
        self._told = (window.month, days)
        self.events.emit(
            "window.closing",
            month=str(window.month),
            window_closes_unix=int(window.last_send.timestamp()),
            outstanding=outstanding,
        )

    def _pulse(self, store: str | None) -> Pulse:
        vitals = self.vitals
        crashed = "; ".join(f"{job}: {why}" for job, why in list(vitals.crashed.items()))
        return Pulse(
            instance=self.instance,
            beat_at=self.clock.monotonic(),
            stale_after_s=2 * self.every_s + 30,
            moved_at=vitals.moved_at,
            store=store and self.redact(store),
            failing=vitals.failing and self.redact(vitals.failing),
            crashed=self.redact(crashed) or None,
            crashes=vitals.crashes,
        )
