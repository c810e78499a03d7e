"""Waivers in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from report_service.adapters.db.tables import insert_into, waivers
from report_service.domain.kinds import DeliveryKey
from report_service.ports import Waiver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.adapters.db.engine import Store
    from report_service.domain.months import ReportMonth


class SqlWaiverStore:
    """The waivers of one CPO (`ports.WaiverStore`)."""

    def __init__(self, store: Store, cpo_id: str) -> None:
        """Take the store, and whose waivers they are."""
        self._store = store
        self._cpo_id = cpo_id

    def of(self, month: ReportMonth) -> Mapping[DeliveryKey, Waiver]:
        mine = select(waivers).where(
            waivers.c.cpo_id == self._cpo_id, waivers.c.key.startswith(f"{month}/", autoescape=True)
        )
        with self._store.read() as connection:
            found = [
                Waiver(
                    key=DeliveryKey.parse(row.key),
                    reason=row.reason,
                    declared_by=row.declared_by,
                    declared_at=row.declared_at,
                )
                for row in connection.execute(mine)
            ]
        return {waiver.key: waiver for waiver in found}

    def declare(self, waiver: Waiver) -> None:
        said = {"reason": waiver.reason, "declared_by": waiver.declared_by, "declared_at": waiver.declared_at}
        with self._store.write() as connection:
            statement = insert_into(waivers, connection).values(cpo_id=self._cpo_id, key=str(waiver.key), **said)
            connection.execute(statement.on_conflict_do_update(index_elements=["cpo_id", "key"], set_=said))

    def withdraw(self, key: DeliveryKey) -> bool:
        mine = (waivers.c.cpo_id == self._cpo_id, waivers.c.key == str(key))
        with self._store.write() as connection:
            return connection.execute(delete(waivers).where(*mine)).rowcount == 1
