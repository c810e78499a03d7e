"""Whose reports a ledger is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, select

from report_service.adapters.db.tables import deliveries, month_inventories
from report_service.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from report_service.adapters.db.engine import Store
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

    @property
    def inventories(self) -> ColumnElement[bool]:
        """Return what a row of `month_inventories` fulfils that is within it."""
        columns = month_inventories.c
        return and_(columns.endpoint == self.endpoint, columns.cpo_id == self.cpo_id)

    def of(self, month: ReportMonth) -> ColumnElement[bool]:
        """Return what the row of a report of a month fulfils, due or not."""
        return and_(self.reports, deliveries.c.month == str(month))

    def due(self, month: ReportMonth) -> ColumnElement[bool]:
        """Return what the row of a due report of a month fulfils."""
        return and_(self.of(month), deliveries.c.due)

    def require_alone(self, store: Store) -> None:
        """Raise ConfigurationError if another CPO's reports were sent from this store to this endpoint.

        The source tables do not say whose a hub is: each of the two would report the other's.
        """
        for other in self.others(store, sent=True):
            raise ConfigurationError(
                f"this store has reported to {self.endpoint} for the CPO {other}, and obelis.cpo_id is "
                f"{self.cpo_id}: each would report the other's hubs",
                hint="Give each CPO a store, or a schema, of its own; see README.md, Several operators.",
            )

    def others(self, store: Store, *, sent: bool) -> list[str]:
        """Return other CPOs, two at most, whose reports to this endpoint are in this store (`sent`: went out)."""
        found = []
        with store.read() as connection:
            for others in (deliveries.c.cpo_id < self.cpo_id, deliveries.c.cpo_id > self.cpo_id):
                theirs = and_(deliveries.c.endpoint == self.endpoint, others)
                which = and_(theirs, deliveries.c.attempts > 0) if sent else theirs
                found.append(connection.execute(select(deliveries.c.cpo_id).where(which).limit(1)).scalar())
        return [other for other in found if other is not None]
