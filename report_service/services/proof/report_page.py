"""The newest month's page, kept current by the daemon (`report.html`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from report_service.errors import ReportServiceError
from report_service.services.proof.page import as_html
from report_service.services.proof.proof import gather

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.domain.timetable import Timetable
    from report_service.ports import Clock, Ledger


@dataclass(slots=True, kw_only=True)
class ReportPage:
    """Written anew when something of the month has changed; that it cannot be is said once, and harms nothing."""

    ledger: Ledger
    timetable: Timetable
    clock: Clock
    cpo_id: str
    guard_s: float
    write: Callable[[str], None]  # replaces the file; raises BadInput
    warn: Callable[[str], None]
    _shown: object = None  # what the page that was written last was made of
    _failing: bool = False

    def refresh(self) -> None:
        """Write the page if it is no longer current."""
        at = self.clock.now()
        month = self.timetable.newest(at)
        try:
            counts = self.ledger.status.month_counts(month)
            state = (month, counts, self.ledger.evidence.head(month))
            if state == self._shown or not counts.expected:
                return
            self.write(as_html(gather(self.ledger, month, cpo_id=self.cpo_id, at=at, guard_s=self.guard_s)))
        except ReportServiceError as exc:
            if not self._failing:
                self.warn(f"the page of {month} is not current: {exc.message}")
            self._failing = True
        else:
            self._shown, self._failing = state, False
