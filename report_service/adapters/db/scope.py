"""Whose reports a ledger is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_

from report_service.adapters.db.tables import deliveries

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from report_service.domain.months import ReportMonth


@dataclass(frozen=True, slots=True)
class Scope:
    """One CPO's reports to one endpoint."""

    endpoint: str
    cpo_id: str

    @property
    def reports(self) -> ColumnElement[bool]:
        """Return what a row of `deliveries` fulfils that is within it."""
        return and_(deliveries.c.endpoint == self.endpoint, deliveries.c.cpo_id == self.cpo_id)

    def due(self, month: ReportMonth) -> ColumnElement[bool]:
        """Return what the row of a due report of a month fulfils."""
        return and_(self.reports, deliveries.c.month == str(month), deliveries.c.due)
