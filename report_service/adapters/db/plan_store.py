"""What is due, in SQL."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, and_, bindparam, case, insert, null, select, update

from report_service.adapters.db.tables import deliveries, insert_into, month_inventories, payloads
from report_service.domain.delivery import State, Trigger, next_state
from report_service.domain.inventory_check import InventoryRecord
from report_service.domain.planning import KnownDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.lease import SqlLeaseStore
    from report_service.adapters.db.scope import Scope
    from report_service.domain.kinds import Kind
    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import PlannedChange
    from report_service.ports import Lease

_D = deliveries.c
_PLANNED = (
    *("due", "state", "in_doubt", "drift", "path", "payload_sha256"),
    *("source_sha256", "detail", "updated_at"),
)
_KNOWN = select(
    _D.subject,
    _D.id,
    _D.state,
    _D.due,
    _D.in_doubt,
    _D.drift,
    _D.echo_differs,
    _D.attempts,
    _D.path,
    _D.payload_sha256,
    _D.source_sha256,
    _D.detail,
)
_RESTART, _WAITS = bindparam("restart", type_=Boolean), bindparam("waits", type_=Boolean)
_UNREAD = bindparam("unread", type_=Boolean)
_REPLAN = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"), _D.state == bindparam("was"))  # a person may have put it back meanwhile
    .values(
        {name: bindparam(name) for name in _PLANNED}
        | {
            "consecutive_failures": case((_RESTART, 0), else_=_D.consecutive_failures),
            "http_status": case((_RESTART, null()), else_=_D.http_status),
            "source": case((_UNREAD, _D.source), else_=bindparam("source", type_=_D.source.type)),
            "next_attempt_at": case((_WAITS, _D.next_attempt_at), else_=null()),
        }
    )
)


_PUT_BACK = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"), _D.state == bindparam("was"), _D.due)
    .values(
        state=bindparam("becomes"),
        detail=bindparam("says"),
        consecutive_failures=0,
        next_attempt_at=None,
        updated_at=bindparam("at"),
    )
)


class SqlPlanStore:
    """The reports of one ledger as planning sees them (`ports.PlanStore`)."""

    def __init__(self, store: Store, scope: Scope, leases: SqlLeaseStore) -> None:
        """Take the store, whose reports it is about, and the lease that a plan is written under."""
        self._store = store
        self._scope = scope
        self._leases = leases

    def known_deliveries(self, month: ReportMonth, kind: Kind) -> dict[str, KnownDelivery]:
        wanted = _KNOWN.where(_named(self._names(month, kind)))
        with self._store.read() as connection:
            rows = connection.execution_options(yield_per=500).execute(wanted)
            return {row.subject: _known(row) for row in rows}

    def planned_rows(self, month: ReportMonth, kind: Kind) -> Iterator[Mapping[str, object]]:
        wanted = select(_D.source).where(self._scope.due(month), _D.kind == kind.name, _D.source.is_not(None))
        with self._store.read() as connection:
            sources = connection.execute(wanted).scalars().all()
        rows = json.loads(f"[{','.join(sources)}]")  # at once: a call for each takes as long as what it reads
        yield from (row for row in rows if isinstance(row, dict))  # several rows are kept as a list

    def save_plan(
        self, month: ReportMonth, kind: Kind, changes: Sequence[PlannedChange], *, at: datetime, lease: Lease
    ) -> None:
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            _save(connection, self._names(month, kind), changes, at=at)

    def withdraw(self, month: ReportMonth, kind: Kind, subjects: Sequence[str], *, lease: Lease) -> None:
        these = and_(_named(self._names(month, kind)), _D.subject == bindparam("undue"))
        rows = [{"undue": subject} for subject in subjects]
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            if rows:
                connection.execute(update(deliveries).where(these).values(due=False), rows)

    def put_back(self, reports: Sequence[KnownDelivery], *, at: datetime) -> bool:
        rows = [_put_back(one, at) for one in sorted(reports, key=lambda one: one.row or 0)]
        with self._store.write() as connection:
            as_given = not rows or connection.execute(_PUT_BACK, rows).rowcount == len(rows)
            if not as_given:
                connection.rollback()
        return as_given

    def inventory_record(self, month: ReportMonth) -> InventoryRecord | None:
        wanted = select(month_inventories).where(self._scope.inventories, month_inventories.c.month == str(month))
        with self._store.read() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            return None
        return InventoryRecord(
            largest=row.largest,
            doubt=row.doubt,
            doubted_at=row.doubted_at,
            accepted_by=row.accepted_by,
            accepted_at=row.accepted_at,
        )

    def keep_inventory_record(self, month: ReportMonth, record: InventoryRecord, *, lease: Lease) -> None:
        whose = {"endpoint": self._scope.endpoint, "cpo_id": self._scope.cpo_id, "month": str(month)}
        with self._store.write() as connection:
            self._leases.require(connection, lease)
            statement = insert_into(month_inventories, connection).values(**whose, **asdict(record))
            connection.execute(statement.on_conflict_do_update(index_elements=list(whose), set_=asdict(record)))

    def _names(self, month: ReportMonth, kind: Kind) -> dict[str, str]:
        """Return the values of the columns that the reports of a month and kind have in common."""
        scope = self._scope
        return {"endpoint": scope.endpoint, "cpo_id": scope.cpo_id, "month": str(month), "kind": kind.name}


def _put_back(one: KnownDelivery, at: datetime) -> dict[str, object]:
    becomes = next_state(one.state, Trigger.RETRIED, in_doubt=one.in_doubt)
    return {
        "d_id": one.row,
        "was": one.state.value,
        "becomes": becomes.value,
        "says": one.detail if becomes is one.state else "",
        "at": at,
    }


def _known(row: Row[*tuple[Any, ...]]) -> KnownDelivery:
    return KnownDelivery(
        row=row.id,
        state=State(row.state),
        due=row.due,
        in_doubt=row.in_doubt,
        drift=row.drift,
        echo_differs=row.echo_differs,
        attempts=row.attempts,
        path=row.path,
        payload_sha256=row.payload_sha256,
        source_sha256=row.source_sha256,
        detail=row.detail,
    )


def _save(
    connection: Connection, names: Mapping[str, str], changes: Sequence[PlannedChange], *, at: datetime
) -> None:
    bodies = {
        change.found.payload.sha256: change.found.payload.body.decode()
        for change in changes
        if change.found.payload is not None and change.after.payload_sha256 == change.found.payload.sha256
    }
    new = [
        {**names, "subject": change.subject, **_values(change, at)}
        for change in changes
        if change.before.row is None
    ]
    known = [
        {
            "d_id": change.before.row,
            "was": change.before.state.value,
            "restart": change.restart,
            "waits": change.after.state is State.RETRYING,
            "unread": change.found.unread,
            **_values(change, at),
        }
        for change in changes
        if change.before.row is not None
    ]
    if bodies:  # sorted, so that two that write the same ones never wait for each other
        rows = [{"sha256": sha256, "body": body} for sha256, body in sorted(bodies.items())]
        connection.execute(insert_into(payloads, connection).on_conflict_do_nothing(), rows)
    if new:
        connection.execute(insert(deliveries), new)
    if known:
        connection.execute(_REPLAN, known)


def _named(names: Mapping[str, str]) -> ColumnElement[bool]:
    return and_(*(_D[name] == value for name, value in names.items()))


def _values(change: PlannedChange, at: datetime) -> dict[str, object]:
    after = change.after
    return {
        "due": after.due,
        "state": after.state.value,
        "in_doubt": after.in_doubt,
        "drift": after.drift,
        "path": after.path,
        "payload_sha256": after.payload_sha256,
        "source_sha256": after.source_sha256,
        "source": change.found.raw,
        "detail": after.detail,
        "updated_at": at,
    }
