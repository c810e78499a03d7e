"""When what is to happen for a month: its window, and the release from which the daemon sends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from report_service.domain.months import ReportMonth, SubmissionWindow

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

LAST_RELEASE = timedelta(hours=1)
"""Jitter moves no release closer than this to the end of the window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """One operator's calendar."""

    zone: ZoneInfo  # of day and hour
    day: int  # 1..28, of the month after the one reported
    hour: int
    jitter_s: float
    guard_s: float  # kept free of sending at either end of a window
    owner: str  # whose jitter it is
    rehearse_day: int = 0  # 1..28, of the month that is reported: from then on it is rehearsed; 0: never

    def window(self, month: ReportMonth) -> SubmissionWindow:
        """Return the window of a month."""
        return _window(month, self.guard_s)

    def newest(self, at: datetime) -> ReportMonth:
        """Return the month whose window opened last; it may have closed: between two windows is an hour or two."""
        month = ReportMonth.previous(at)
        return month if self.window(month).opens <= at else month.shift(-1)

    def release(self, month: ReportMonth) -> datetime:
        """Return when the daemon begins to send a month's reports, UTC: day, hour and jitter, within the window.

        The jitter is drawn from a hash of owner and month: so operators do not all arrive together, and still a
        restart at ten past neither sends early nor waits anew, and all replicas agree. (APScheduler's own jitter
        is drawn at each start.) An hour that the clock skips counts as the one after it, of an hour that comes
        twice the first one counts.
        """
        due, window = month.shift(1), self.window(month)
        local = datetime(due.year, due.number, self.day, self.hour, tzinfo=self.zone)
        share = int.from_bytes(sha256(f"{self.owner} {month}".encode()).digest()[:8]) / 2**64
        drawn = local.astimezone(UTC) + timedelta(seconds=share * self.jitter_s)
        return max(min(drawn, window.last_send - LAST_RELEASE), window.first_send)

    def rehearsal(self, at: datetime) -> tuple[ReportMonth, date] | None:
        """Return which month is to be rehearsed at an instant, and on which local day; None: none is.

        From `rehearse_day` on each day of the running month has one, which is due from `hour` to midnight.
        """
        local = at.astimezone(self.zone)
        if not 0 < self.rehearse_day <= local.day or local.hour < self.hour:
            return None
        return ReportMonth.of(local), local.date()

    def next_instant(self, after: datetime) -> datetime:
        """Return the next time at which a window opens or closes, or a month is released."""
        newest = self.newest(after)
        instants = [
            instant
            for month in (newest, newest.shift(1))
            for instant in (self.window(month).opens, self.release(month), self.window(month).closes)
        ]
        return min(instant for instant in instants if instant > after)


@lru_cache(maxsize=32)
def _window(month: ReportMonth, guard_s: float) -> SubmissionWindow:
    """Keep the last few: they are asked for at every look, and take a fifth of a millisecond."""
    return SubmissionWindow.of(month, guard_s=guard_s)
