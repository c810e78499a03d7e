"""Letting go of what was to be kept for years only: `retention.attempts_years`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.domain.months import ReportMonth
from report_service.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.ports import Clock, EvidenceLog

EVERY_S = 86_400.0


@dataclass(slots=True, kw_only=True)
class Retention:
    """Drops attempts and answers, a whole month at a time, so that what is left of a chain is a whole one."""

    prepare: Callable[[], None]  # make the store's tables usable; may raise StoreUnavailable
    evidence: EvidenceLog
    clock: Clock
    years: int
    tell: Callable[[str], None]
    _looked_at: float | None = None  # monotonic

    def apply(self) -> None:
        """Drop the months that are older than their years; looks once a day, and again if the store was away."""
        at = self.clock.monotonic()
        if self._looked_at is not None and at - self._looked_at < EVERY_S:
            return
        with suppress(StoreUnavailable):
            self.prepare()
            while (month := self._outlived()) is not None:
                count = self.evidence.drop(month)
                kept = f"were kept for {self.years} year(s)"
                self.tell(f"the {count:,} attempts of {month} and their answers {kept}, and are dropped")
            self._looked_at = at

    def _outlived(self) -> ReportMonth | None:
        """Return the oldest month that need not be kept.

        Years are counted back from the newest month of which the API took a report, unless the clock says less:
        one that runs ahead by years must not cost the proof of years.
        """
        span = self.evidence.span()
        if span is None:
            return None
        first, last = span
        newest = min(last, ReportMonth.previous(self.clock.now()))
        return first if first < newest.shift(-12 * self.years) else None
