"""What was handed in by other means, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, delete, select, update

from report_service.adapters.db.tables import deliveries, hand_ins, insert_into
from report_service.domain.delivery import Trigger, next_state
from report_service.domain.kinds import DeliveryKey
from report_service.ports import HandIn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import KnownDelivery

_D, _H = deliveries.c, hand_ins.c
_BECOME = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"), _D.state == bindparam("was"), _D.in_doubt == bindparam("doubt"))
    .values(state=bindparam("becomes"), updated_at=bindparam("at"))
)


class SqlHandInStore:
    """What was handed in by other means to one endpoint (`ports.HandInStore`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose reports they are."""
        self._store = store
        self._scope = scope

    def of(self, month: ReportMonth) -> Mapping[DeliveryKey, HandIn]:
        mine = select(hand_ins).where(self._mine(), _H.key.startswith(f"{month}/", autoescape=True))
        with self._store.read() as connection:
            found = [
                HandIn(
                    key=DeliveryKey.parse(row.key),
                    reference=row.reference,
                    declared_by=row.declared_by,
                    declared_at=row.declared_at,
                )
                for row in connection.execute(mine)
            ]
        return {one.key: one for one in found}

    def declare(self, reports: Sequence[tuple[KnownDelivery, HandIn]]) -> bool:
        with self._store.write() as connection:
            at = max((one.declared_at for _, one in reports), default=None)
            if at is not None and not _become(connection, [known for known, _ in reports], Trigger.HANDED_IN, at):
                connection.rollback()
                return False
            for _, one in reports:
                said = {"reference": one.reference, "declared_by": one.declared_by, "declared_at": one.declared_at}
                row = {"endpoint": self._scope.endpoint, "cpo_id": self._scope.cpo_id, "key": str(one.key), **said}
                statement = insert_into(hand_ins, connection).values(row)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=list(hand_ins.primary_key), set_=said)
                )
        return True

    def withdraw(self, reports: Mapping[DeliveryKey, KnownDelivery], *, at: datetime) -> bool:
        with self._store.write() as connection:
            if reports and not _become(connection, list(reports.values()), Trigger.HAND_IN_WITHDRAWN, at):
                connection.rollback()
                return False
            for key in reports:
                connection.execute(delete(hand_ins).where(self._mine(), _H.key == str(key)))
        return True

    def _mine(self) -> ColumnElement[bool]:
        return and_(_H.endpoint == self._scope.endpoint, _H.cpo_id == self._scope.cpo_id)


def _become(connection: Connection, reports: Sequence[KnownDelivery], trigger: Trigger, at: datetime) -> bool:
    """Compare and set: return True if every report still was as it is known."""
    rows = [
        {
            "d_id": one.row,
            "was": one.state.value,
            "doubt": one.in_doubt,
            "becomes": next_state(one.state, trigger, in_doubt=one.in_doubt).value,
            "at": at,
        }
        for one in sorted(reports, key=lambda one: one.row or 0)
    ]
    return connection.execute(_BECOME, rows).rowcount == len(rows)
