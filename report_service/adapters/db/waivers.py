"""Waivers in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select

from report_service.adapters.db.tables import waivers
from report_service.domain.field_errors import shown
from report_service.domain.kinds import DeliveryKey
from report_service.errors import BadInput
from report_service.ports import Waiver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Row

    from report_service.adapters.db.engine import Store
    from report_service.domain.months import ReportMonth

_W = waivers.c


class SqlWaiverStore:
    """The waivers of one CPO (`ports.WaiverStore`)."""

    def __init__(self, store: Store, cpo_id: str) -> None:
        """Take the store, and whose waivers they are."""
        self._store = store
        self._cpo_id = cpo_id

    def of(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        found = [_waiver(row) for row in self._rows(month)]
        return {waiver.key: waiver for waiver in found if isinstance(waiver, Waiver) and waiver.key.month == month}

    def faults(self, month: ReportMonth) -> list[str]:
        return [fault for fault in map(_waiver, self._rows(month)) if isinstance(fault, str)]

    def declare(self, waiver: Waiver) -> None:
        with self._store.write() as connection:
            connection.execute(delete(waivers).where(*self._about(waiver.key)))
            connection.execute(
                insert(waivers).values(
                    cpo_id=self._cpo_id,
                    key=str(waiver.key),
                    reason=waiver.reason,
                    declared_by=waiver.declared_by,
                    declared_at=waiver.declared_at,
                )
            )

    def withdraw(self, key: DeliveryKey) -> bool:
        with self._store.write() as connection:
            return connection.execute(delete(waivers).where(*self._about(key))).rowcount > 0

    def _rows(self, month: ReportMonth) -> list[Row[*tuple[Any, ...]]]:
        """Return the rows of a month, and those of no month that can be read."""
        its = _W.key.ilike(f"%{month}/%")
        wanted = select(waivers).where(_W.cpo_id == self._cpo_id, or_(its, _W.key.not_like("____-__/%")))
        with self._store.read() as connection:
            return list(connection.execute(wanted.order_by(_W.key)))

    def _about(self, key: DeliveryKey) -> tuple[ColumnElement[bool], ...]:
        """Return what the rows about a report fulfil, in whatever spelling an operator's job wrote its key."""
        return _W.cpo_id == self._cpo_id, func.lower(func.trim(_W.key)) == str(key).lower()


def _waiver(row: Row[*tuple[Any, ...]]) -> Waiver | str:
    """Return a row as a waiver, or why it is none."""
    try:
        key = DeliveryKey.parse(row.key)
    except BadInput as bad:
        return f"waivers, key {shown(row.key)}: {bad.message}"
    if not row.reason.strip():
        return f"waivers, key {shown(row.key)}: reason is empty"
    return Waiver(key=key, reason=row.reason, declared_by=row.declared_by, declared_at=row.declared_at)
