"""What a simulated month is made of, as data: one seed draws it, shrinking takes parts of it away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from report_service.domain.months import ReportMonth, SubmissionWindow

if TYPE_CHECKING:
    from tests.simulation.operator import Size
    from tests.simulation.weather import Weather

LEAD_S = 3600.0
"""A month's world begins so long before its window opens."""


@lru_cache(maxsize=16)
def window_of(month: str) -> SubmissionWindow:
    """Return the window of a month, `2026-10`."""
    return SubmissionWindow.of(ReportMonth.parse(month))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that befalls the world or that somebody does, at a moment (true seconds)."""

    at: float
    what: str  # a name in `deeds.DEEDS`
    who: int = 0  # which replica
    key: str = ""  # of a report, or the name of a table or source
    for_s: float = 0.0
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where a replica runs."""

    offset_s: float = 0.0  # its clock, ahead of true time
    drift: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One month."""

    seed: int
    month: str
    size: Size
    zone: str  # in which the API counts months
    dialect: str
    limit_per_minute: int
    sweep_minutes: int
    machines: tuple[Machine, ...]
    deeds: tuple[Deed, ...]
    weather: tuple[Weather, ...]
    ends: float  # true seconds
    to_the_end: bool  # even if nothing is left to happen and all is delivered
    well_since: (
        float | None
    )  # from then on nothing befalls one replica, the API and the sources; None: something may
    spoilt: str = ""  # the kind that is in trouble, if it is the only thing that is
    unregistered: tuple[tuple[str, float], ...] = ()  # hubs and points that the API learns of late
    foreign: tuple[str, ...] = ()  # reports that somebody else has made already
    picky: tuple[str, ...] = ()  # hubs and points whose figures the API refuses

    @property
    def window(self) -> SubmissionWindow:
        return window_of(self.month)

    @property
    def starts(self) -> datetime:
        """Return when the world begins, UTC."""
        return self.window.opens - timedelta(seconds=LEAD_S)

    @property
    def closes(self) -> float:
        """Return when the window closes, in true seconds."""
        return (self.window.closes - self.starts).total_seconds()

    @property
    def settled(self) -> float:
        """Return when nothing befalls the world any more, in true seconds."""
        ends = [deed.at + deed.for_s for deed in self.deeds] + [each.until for each in self.weather]
        return max(ends, default=0.0)

    @property
    def faults(self) -> int:
        return len(self.weather) + sum(deed.what not in {"start", "mend"} for deed in self.deeds)
