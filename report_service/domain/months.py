"""Months, and the window in which a month may be reported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pendulum

from report_service.errors import BadInput, WindowClosed, WindowNotOpen

BERLIN = ZoneInfo("Europe/Berlin")
"""The authority's zone; whether it counts months in it or in UTC is nowhere stated, so both must agree."""

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ReportMonth:
    """A calendar month that is reported on. Text form: `2026-10`."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> ReportMonth:
        """Read `YYYY-MM`, of this century; raise BadInput for anything else."""
        found = _MONTH.fullmatch(text.strip())
        if not found:
            raise BadInput(f"{text!r} is not a month", hint="Write a month as YYYY-MM, for example 2026-10.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of(cls, day: date) -> ReportMonth:
        """Return the month that a date lies in."""
        return cls(day.year, day.month)

    @classmethod
    def previous(cls, at: datetime) -> ReportMonth:
        """Return the month before the one that `at` (aware) lies in, in Berlin: the default month."""
        return cls.of(at.astimezone(BERLIN)).shift(-1)

    @classmethod
    def from_index(cls, index: int) -> ReportMonth:
        """Return the month of an `index`."""
        year, number = divmod(index - 1, 12)
        return cls(year, number + 1)

    @property
    def index(self) -> int:
        """Return year * 12 + month, 1..12: months as consecutive integers."""
        return self.year * 12 + self.number

    @property
    def first_day(self) -> date:
        """Return the month's first day."""
        return date(self.year, self.number, 1)

    @property
    def last_day(self) -> date:
        """Return the month's last day."""
        return self.shift(1).first_day - timedelta(days=1)

    def shift(self, months: int) -> ReportMonth:
        """Return the month so many months later (earlier if negative)."""
        return ReportMonth.from_index(self.index + months)

    def starts(self, zone: ZoneInfo) -> datetime:
        """Return the month's first instant in a zone, as UTC."""
        start = pendulum.datetime(self.year, self.number, 1, tz=zone.key)
        return datetime.fromtimestamp(start.timestamp(), UTC)

    def wire(self) -> str:
        """Return the API's form, `MM-yyyy` [0.9]."""
        return f"{self.number:02d}-{self.year:04d}"

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionWindow:
    """When reports for a month may be created: law 1. Half-open, UTC.

    `opens` and `closes` bound the time in which the month is the previous month both in Berlin and in UTC;
    `guard` is kept free at either end.
    """

    month: ReportMonth
    opens: datetime
    closes: datetime
    guard: timedelta

    @classmethod
    def of(cls, month: ReportMonth, *, guard_s: float = 60) -> SubmissionWindow:
        """Return the window of a month: from M+1 begun in both zones until M+2 begins in either."""
        utc = ZoneInfo("UTC")
        after, end = month.shift(1), month.shift(2)
        return cls(
            month=month,
            opens=max(after.starts(BERLIN), after.starts(utc)),
            closes=min(end.starts(BERLIN), end.starts(utc)),
            guard=timedelta(seconds=guard_s),
        )

    @property
    def first_send(self) -> datetime:
        """Return the first instant at which a report may go out."""
        return self.opens + self.guard

    @property
    def last_send(self) -> datetime:
        """Return the instant from which on no report may go out (exclusive)."""
        return self.closes - self.guard

    def is_open(self, at: datetime, *, skew_s: float = 0.0) -> bool:
        """Return True if a report may go out at `at`, by our clock and by it corrected by `skew_s` seconds."""
        corrected = at + timedelta(seconds=skew_s)
        return self.first_send <= min(at, corrected) and max(at, corrected) < self.last_send

    def has_closed(self, at: datetime, *, skew_s: float = 0.0) -> bool:
        """Return True if the window is over, by our clock and by it corrected: nothing can be sent any more."""
        return min(at, at + timedelta(seconds=skew_s)) >= self.closes

    def require_open(self, at: datetime, *, skew_s: float = 0.0) -> None:
        """Raise WindowNotOpen or WindowClosed, unless a report may go out."""
        if self.is_open(at, skew_s=skew_s):
            return
        clock = f"{at:%Y-%m-%d %H:%M:%S} UTC" + (f", the API's clock {skew_s:+.0f} s" if abs(skew_s) >= 1 else "")
        if max(at, at + timedelta(seconds=skew_s)) >= self.last_send:
            raise WindowClosed(
                f"reports for {self.month} could be sent until {self.last_send:%Y-%m-%d %H:%M:%S} UTC; "
                f"it is {clock}",
                hint="What is still missing must be handed in by other means: report-service backfill "
                f"--from {self.month} --to {self.month} writes the hand-over package.",
            )
        raise WindowNotOpen(
            f"reports for {self.month} can be sent from {self.first_send:%Y-%m-%d %H:%M:%S} UTC on; it is {clock}",
            hint="Run it again then; a daemon does so by itself.",
        )
