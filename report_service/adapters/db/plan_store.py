"""The ledger while a month is planned: what is known of its reports, and what a plan changes about them.

Inside transactions of the caller's. `names` are the values of the columns that the reports of one CPO, endpoint,
month and kind have in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Boolean, and_, bindparam, case, delete, insert, null, select, update

from report_service.adapters.db.tables import attempts, deliveries, insert_into, payloads, waivers
from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.planning import KnownDelivery
from report_service.ports import Waiver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from report_service.domain.months import ReportMonth
    from report_service.domain.planning import PlannedChange

_D = deliveries.c
_PLANNED = (
    *("due", "state", "in_doubt", "drift", "path", "payload_sha256"),
    *("source_sha256", "source", "detail", "updated_at"),
)
_RESTART, _WAITS = bindparam("restart", type_=Boolean), bindparam("waits", type_=Boolean)
_REPLAN = (
    update(deliveries)
    .where(_D.id == bindparam("d_id"))
    .values(
        {name: bindparam(name) for name in _PLANNED}
        | {
            "consecutive_failures": case((_RESTART, 0), else_=_D.consecutive_failures),
            "http_status": case((_RESTART, null()), else_=_D.http_status),
            "next_attempt_at": case((_WAITS, _D.next_attempt_at), else_=null()),
        }
    )
)


def known_deliveries(connection: Connection, names: Mapping[str, str]) -> dict[str, KnownDelivery]:
    """Return what is known, by subject, of one kind's reports."""
    rows = connection.execution_options(yield_per=500).execute(
        select(
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
        ).where(_named(names))
    )
    return {
        subject: KnownDelivery(
            row=row,
            state=State(state),
            due=due,
            in_doubt=in_doubt,
            drift=drift,
            echo_differs=echo_differs,
            attempts=tried,
            path=path,
            payload_sha256=payload,
            source_sha256=source,
            detail=detail,
        )
        for subject, row, state, due, in_doubt, drift, echo_differs, tried, path, payload, source, detail in rows
    }


def save(
    connection: Connection, names: Mapping[str, str], changes: Sequence[PlannedChange], *, at: datetime
) -> None:
    """Write changes of one kind's reports."""
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
            "restart": change.restart,
            "waits": change.after.state is State.RETRYING,
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


def withdraw(connection: Connection, names: Mapping[str, str], subjects: Sequence[str]) -> None:
    """Take reports out of what is expected: those never sent are deleted, the others kept as not due."""
    these = and_(_named(names), _D.subject == bindparam("undue"))
    unsent = ~select(attempts.c.request_id).where(attempts.c.delivery_id == _D.id).exists()
    rows = [{"undue": subject} for subject in subjects]
    if rows:
        connection.execute(delete(deliveries).where(these, unsent), rows)
        connection.execute(update(deliveries).where(these).values(due=False), rows)


def waived(connection: Connection, cpo_id: str, month: ReportMonth) -> dict[DeliveryKey, Waiver]:
    """Return the waivers of a month."""
    mine = and_(waivers.c.cpo_id == cpo_id, waivers.c.key.startswith(f"{month}/", autoescape=True))
    found = [
        Waiver(
            key=DeliveryKey.parse(row.key),
            reason=row.reason,
            declared_by=row.declared_by,
            declared_at=row.declared_at,
        )
        for row in connection.execute(select(waivers).where(mine))
    ]
    return {waiver.key: waiver for waiver in found}


def waive(connection: Connection, cpo_id: str, waiver: Waiver) -> None:
    """Record a waiver; a newer one for the same report replaces it."""
    said = {"reason": waiver.reason, "declared_by": waiver.declared_by, "declared_at": waiver.declared_at}
    statement = insert_into(waivers, connection).values(cpo_id=cpo_id, key=str(waiver.key), **said)
    connection.execute(statement.on_conflict_do_update(index_elements=["cpo_id", "key"], set_=said))


def unwaive(connection: Connection, cpo_id: str, key: DeliveryKey) -> bool:
    """Take a waiver back; say whether there was one."""
    gone = connection.execute(delete(waivers).where(waivers.c.cpo_id == cpo_id, waivers.c.key == str(key)))
    return gone.rowcount == 1


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
